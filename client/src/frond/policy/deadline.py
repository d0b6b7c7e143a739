"""The one time budget of a call, from reading the first photo to the last byte of the answer."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from frond.errors import CloudTimeoutError, CloudValidationError

if TYPE_CHECKING:
    from collections.abc import Callable

HARD_DEADLINE_SECONDS = 8.0  # the contract's: nobody waits longer in front of a plant


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on a monotonic clock."""

    at: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Self:
        """Raises `CloudValidationError` for a budget that is none, or above the hard deadline of 8 s."""
        if not isinstance(seconds, int | float) or not 0 < seconds <= HARD_DEADLINE_SECONDS:
            raise CloudValidationError(
                f"timeout_seconds is {seconds}; it must be above 0 and at most {HARD_DEADLINE_SECONDS:g}.",
                code="timeout_invalid",
            )
        return cls(clock() + seconds, clock)

    def remaining(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self.at - self.clock())

    def remaining_ms(self) -> int:
        """For `X-Frond-Deadline-Ms`, rounded down: the service must not think that there is more."""
        return math.floor(self.remaining() * 1000)


def deadline_error(request_id: str | None = None) -> CloudTimeoutError:
    return CloudTimeoutError(
        "The deadline passed before there was an answer.", code="deadline_exceeded", request_id=request_id
    )
