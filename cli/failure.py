"""What a command reports in one line instead of a traceback."""

from __future__ import annotations


class Failure(Exception):  # noqa: N818  (it is what the user reads, not a bug)
    """The command cannot go on; the message says why and what to do, `exit_code` what the shell sees."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
