"""One supervisor a state folder: a lock that the kernel releases when its holders are gone, however they went."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

from stack.errors import AlreadyRunningError
from stack.processes import is_alive

if TYPE_CHECKING:
    from pathlib import Path

# A killed supervisor's guardian holds the lock until it has ended what was left; PostgreSQL alone has 5 s for that.
PATIENCE_SECONDS = 10.0
GLANCE_SECONDS = 0.3  # `frond status` holds the lock for a moment, shared, to see whether it is held


def acquire(path: Path) -> int:
    """Take the lock and return its descriptor, which must stay open; raises AlreadyRunningError.

    The lock belongs to the open file: a forked child holds it too, until both have closed it or died.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    began = time.monotonic()
    while not _try(descriptor, fcntl.LOCK_EX):
        holder = holder_pid(path)
        patience = GLANCE_SECONDS if holder and is_alive(holder) else PATIENCE_SECONDS
        if time.monotonic() - began > patience:
            os.close(descriptor)
            raise AlreadyRunningError(f"Frond is already running here (process {holder}); `frond down` stops it.")
        time.sleep(0.05)
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether a supervisor runs, or its guardian still clears up after it."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    with contextlib.closing(os.fdopen(descriptor)):
        return not _try(descriptor, fcntl.LOCK_SH)


def holder_pid(path: Path) -> int | None:
    """The supervisor that took the lock last."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
