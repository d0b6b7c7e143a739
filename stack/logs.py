"""Log files, a file for each part: begun anew at every start with the last one kept, and bounded while it grows."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_BYTES = 10 * 1024 * 1024


def begin(log: Path) -> None:
    """Keep the last run's log as `….log.1` and start an empty one."""
    if log.exists():
        log.replace(_previous(log))
    log.touch(mode=0o600)


def bound(log: Path) -> None:
    """Move what is there aside when it is over the limit.

    The part holds the file open for appending, so it is emptied in place; a line written in that moment can be lost.
    """
    with contextlib.suppress(OSError):
        if log.stat().st_size > LIMIT_BYTES:
            shutil.copy(log, _previous(log))  # with its mode
            os.truncate(log, 0)


def _previous(log: Path) -> Path:
    return log.with_name(f"{log.name}.1")
