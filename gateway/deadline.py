"""The one time budget of a request, from the caller to Triton."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Self

from gateway.errors import DeadlineError, InvalidHeaderError

# A caller who names no budget waits as long as eight photos take on a bad network, and no longer is anyone waited for.
MAX_CALLER_SECONDS = 60.0
MAX_HEADER_DIGITS = 9
# Triton and gRPC find a deadline passed a moment before it has: they count in whole milliseconds from when they got it.
SLACK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        return cls(time.monotonic() + seconds)

    @classmethod
    def from_header(cls, milliseconds: str | None) -> Self:
        """`X-Frond-Deadline-Ms`: what the caller has left as the request arrives."""
        if milliseconds is None:
            return cls.after(MAX_CALLER_SECONDS)
        if not (milliseconds.isascii() and milliseconds.isdigit() and len(milliseconds) <= MAX_HEADER_DIGITS):
            raise InvalidHeaderError("X-Frond-Deadline-Ms must be a whole number of milliseconds, at most 999999999.")
        return cls.after(min(int(milliseconds) / 1000, MAX_CALLER_SECONDS))

    def within(self, seconds: float) -> Deadline:
        """This one, or `seconds` from now if that is sooner."""
        return min(self, Deadline.after(seconds), key=lambda deadline: deadline.at)

    def is_over(self) -> bool:
        """Give or take what others' clocks do."""
        return self.at - time.monotonic() <= SLACK_SECONDS

    def has(self, seconds: float) -> bool:
        return self.at - time.monotonic() >= seconds

    def remaining(self) -> float:
        """Seconds left; raises `DeadlineError` when there are none."""
        seconds = self.at - time.monotonic()
        if seconds <= 0:
            raise DeadlineError("The deadline passed before there was an answer.")
        return seconds
