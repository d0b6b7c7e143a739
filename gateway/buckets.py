"""Token buckets (ITU-T I.371): how often something may happen in this process."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

MAX_USERS = 10_000  # remembered, of 100 bytes each; who comes back after so many others begins anew


class TokenBucket:
    def __init__(self, per_second: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = max(1.0, burst)
        self._clock = clock
        self._left = self._burst
        self._counted_at = clock()

    def take(self) -> float:
        """0 when there was one to take; else the seconds until there is."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._counted_at) * self._per_second)
        self._counted_at = now
        if self._left < 1:
            return (1 - self._left) / self._per_second
        self._left -= 1
        return 0.0


class UserBuckets:
    """One for each of the users seen lately; each process counts for itself."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[UUID, TokenBucket] = OrderedDict()

    def take(self, user_id: UUID) -> float:
        """As `TokenBucket.take`."""
        bucket = self._buckets.pop(user_id, None) or TokenBucket(self._per_second, self._burst)
        self._buckets[user_id] = bucket
        if len(self._buckets) > MAX_USERS:
            self._buckets.popitem(last=False)
        return bucket.take()
