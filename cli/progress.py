"""The start of the stack as the user sees it: a line for each part, alive in a terminal and plain elsewhere."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from stack.state import PartStatus, Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

MARKS = {"ready": ("✓", "green"), "waiting": ("·", "dim"), "stopped": ("·", "dim")}
FRAME_SECONDS = 0.1
PATIENCE_SECONDS = 1.0  # for a terminal that takes nothing, as after Ctrl-S


class Progress:
    """Shows each status that it is given. It writes in a thread: a terminal that is paused or gone holds nobody up.

    The thread starts with the first status, so that a supervisor can fork its guardian before.
    """

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None
        self._spinner = Spinner("dots")
        self._shown: dict[str, str] = {}
        self._queue: SimpleQueue[Status | str | threading.Event] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()

    def update(self, status: Status) -> None:
        """Show it."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, daemon=True)
            self._thread.start()
        self._queue.put(status)

    def say(self, line: str) -> None:
        """A line of its own."""
        if self._thread is None:
            self._show(line)
        else:
            self._queue.put(line)

    def finish(self) -> None:
        """Leave the last picture; what changes later is printed as lines. Returns when everything is written."""
        written = threading.Event()
        if self._thread is not None:
            self._queue.put(written)
            written.wait(PATIENCE_SECONDS)

    def _write(self) -> None:
        while True:
            with unless_terminal_is_gone():
                try:
                    self._show(self._queue.get(timeout=FRAME_SECONDS))
                except Empty:
                    if self._live and self._live.is_started:
                        self._live.refresh()

    def _show(self, item: Status | str | threading.Event) -> None:
        if isinstance(item, str):
            self._console.print(item, soft_wrap=True)
        elif isinstance(item, Status):
            self._show_status(item)
        else:
            self._stop_live()
            item.set()

    def _show_status(self, status: Status) -> None:
        if self._live:
            self._live.start()
            self._live.update(self._table(status), refresh=True)
        else:
            self._print_changes(status)
        self._shown = {part.name: part.state for part in status.parts}

    def _stop_live(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def _table(self, status: Status) -> Table:
        table = Table.grid(padding=(0, 2))
        for part in status.parts:
            mark = MARKS.get(part.state)
            table.add_row(Text(*mark) if mark else self._spinner, part.name, describe(part), Text(part.note, "yellow"))
        return table

    def _print_changes(self, status: Status) -> None:
        """A line for each part that is in another state than when it was last seen."""
        for part in status.parts:
            if part.state != "waiting" and self._shown.get(part.name) != part.state:
                note = f": {part.note}" if part.note else ""
                print(f"{part.name}: {describe(part)}{note}", flush=True)


@contextmanager
def unless_terminal_is_gone() -> Iterator[None]:
    """When writing fails, whatever is written from here on goes nowhere: the stack serves, or stops, all the same."""
    try:
        yield
    except OSError:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


def describe(part: PartStatus) -> str:
    """The state in words, with the time that the start took."""
    if part.state == "ready" and part.ready_after_seconds is not None:
        return f"ready after {part.ready_after_seconds:.1f} s"
    return part.state
