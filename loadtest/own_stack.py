"""A local stack for one measurement, in a folder of its own that is gone afterwards."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from loadtest.ending import undisturbed
from stack import control
from stack.paths import StatePaths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stack.state import State


@contextmanager
def own_stack() -> Iterator[tuple[StatePaths, State]]:
    """Of the main thread: signals wait until all of it is stopped."""
    folder = tempfile.TemporaryDirectory(prefix="frond-loadtest-")
    os.environ["FROND_STATE_DIR"] = folder.name  # where `local_token` looks for the key
    Path(folder.name).chmod(0o755)  # PostgreSQL's user passes through
    paths = StatePaths.default()
    try:
        yield paths, control.start_detached(paths, 0, lambda _: None)
    finally:
        with undisturbed():
            control.stop(paths)
            folder.cleanup()
