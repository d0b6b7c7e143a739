"""A second process that ends everything of this state folder when the supervisor is gone, a SIGKILL included."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from stack import leftovers

if TYPE_CHECKING:
    from stack.paths import StatePaths


def fork_guardian(paths: StatePaths) -> int:
    """Fork it and return its process id. It holds the supervisor's lock too, so nobody starts before it has finished.

    It waits for the end of a pipe whose other side only the supervisor has. Call it while there is one thread.
    """
    read_end, write_end = os.pipe()  # closed in programs that are executed; the write end stays open for our lifetime
    process_id = os.fork()
    if process_id:
        os.close(read_end)
        return process_id
    try:
        os.close(write_end)
        _leave_terminal()
        os.read(read_end, 1)
        leftovers.end(paths)
    finally:
        os._exit(0)


def _leave_terminal() -> None:
    """Out of reach of Ctrl-C and of the terminal's end, and holding no descriptor that a reader waits on."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
