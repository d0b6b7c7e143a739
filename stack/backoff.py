"""How long to wait before a part that broke is started again."""

from __future__ import annotations

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0
STEADY_SECONDS = 60.0  # a part that served so long has recovered: its next failure is a first one


def delay_seconds(failures: int) -> float:
    """The wait before the next start after so many failures in a row: none at first, then doubling to a limit."""
    if failures <= 1:
        return 0.0
    return min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 2, 10))
