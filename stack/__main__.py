"""`python -m stack PORT`: the supervisor in the background, as `frond up --detach` starts it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from stack.errors import StackError
from stack.paths import StatePaths
from stack.ports import DEFAULT_PORT
from stack.runtime import run

if TYPE_CHECKING:
    from stack.state import State, Status


def main() -> int:
    """Serve; errors go to standard error, where whoever started it reads until everything is ready."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_PORT
    try:
        run(StatePaths.default(), port, _ignore, _close_standard_error)
    except StackError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _ignore(status: Status) -> None:
    del status


def _close_standard_error(state: State) -> bool:
    """Whoever started it goes now; what is written later has no reader."""
    del state
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, sys.stderr.fileno())
    return True


if __name__ == "__main__":
    sys.exit(main())
