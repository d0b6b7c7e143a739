"""Work done in a child of a fork, as by a server that loads the app before it forks its workers."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable

SECONDS = 20


def in_child(work: Callable[[], object]) -> str:
    """What it answers there, or what it raises; a child that hangs is ended and fails the test."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            answer = str(work())
        except BaseException as error:  # noqa: BLE001  (nothing may get out into the child's copy of the tests)
            answer = repr(error)
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    try:
        ready, _, _ = select.select([reader], [], [], SECONDS)
        assert ready, "the child hangs"
        return os.read(reader, 10_000).decode()
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
