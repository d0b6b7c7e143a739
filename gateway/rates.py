"""How often each user may do something in this process, held in memory."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from gateway.errors import RateLimitedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID


class UserRate:
    """GCRA (ITU-T I.371), as the limit of diagnoses is, but exact in this process only.

    For what costs no database and no model: a round trip to PostgreSQL for the limit would be most of its price.
    """

    def __init__(self, burst: int, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_seconds = 60 / per_minute
        self._tolerance_seconds = (burst - 1) * self._interval_seconds
        self._clock = clock
        self._full_again_at: dict[UUID, float] = {}

    def __len__(self) -> int:
        """Users that are remembered: those whose burst is not full again."""
        return len(self._full_again_at)

    def charge(self, user: UUID) -> None:
        """Raises `RateLimitedError` when the user has had enough for now."""
        now = self._clock()
        self._forget(now)
        full_again_at = max(self._full_again_at.get(user, now), now)
        wait_seconds = full_again_at - now - self._tolerance_seconds
        if wait_seconds > 0:
            raise RateLimitedError("Too many of these at once. Try again.", math.ceil(wait_seconds * 1000))
        self._full_again_at.pop(user, None)  # to the end: the oldest are looked at first
        self._full_again_at[user] = full_again_at + self._interval_seconds

    def _forget(self, now: float) -> None:
        while self._full_again_at:
            oldest = next(iter(self._full_again_at))
            if self._full_again_at[oldest] > now:
                return
            del self._full_again_at[oldest]
