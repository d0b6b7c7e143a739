"""How every tool of the load tests ends: with a result, with one line that says why not, or in order when told to."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Iterator

REFUSED = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells do


class RefusedError(Exception):
    """What was asked for cannot begin; the message says why and what to do."""


def run(main: Callable[[], int | None]) -> NoReturn:
    """SIGTERM (of `timeout`, `kill`, a CI) and a closed terminal end it as Ctrl-C does: what it has started, too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have it ignored in the background
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as of `nohup`
            signal.signal(number, _as_ctrl_c)
    try:
        sys.exit(main())
    except RefusedError as error:
        print(error, file=sys.stderr)
        sys.exit(REFUSED)
    except StackError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("Told to end.", file=sys.stderr)
        sys.exit(INTERRUPTED)


@contextmanager
def undisturbed() -> Iterator[None]:
    """While what was started is stopped: told once more to end, it still stops all of it."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, lambda *_: None) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _as_ctrl_c(number: int, _: object) -> None:
    """Once: `timeout` and make both tell."""
    signal.signal(number, signal.SIG_IGN)
    signal.raise_signal(signal.SIGINT)
