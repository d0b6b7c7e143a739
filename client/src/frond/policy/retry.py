"""Whether, and after how long, a failed attempt is made once more."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from frond.types import ErrorCategory

if TYPE_CHECKING:
    from collections.abc import Callable

    from frond.errors import CloudInferenceError
    from frond.policy.deadline import Deadline

RETRIED = frozenset({ErrorCategory.NETWORK, ErrorCategory.SERVER})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with full jitter (Brooker, «Exponential Backoff And Jitter», AWS 2015).

    The budget ends the attempts: within 8 s there are about ten, one a second after the first four, so that a service
    that is started anew is waited for. `max_attempts` counts the first one; it bounds what a few short waits in a row
    would make of it. `base_seconds` and `cap_seconds` bound the random wait: before attempt n + 1 it is uniform between
    0 and min(cap, base · 2^(n-1)). `min_useful_seconds`: an attempt that would have less than this left is not begun,
    so that a caller learns what went wrong instead of a timeout. `draw` is uniform in [0, 1).
    """

    max_attempts: int = 12
    base_seconds: float = 0.2
    cap_seconds: float = 2.0
    min_useful_seconds: float = 0.2
    draw: Callable[[], float] = field(default=random.random)

    def __post_init__(self) -> None:
        if self.max_attempts < 1 or min(self.base_seconds, self.cap_seconds, self.min_useful_seconds) < 0:
            raise ValueError("max_attempts must be at least 1, and no time below 0")

    def delay(self, error: CloudInferenceError, attempt: int, deadline: Deadline) -> float | None:
        """Seconds to wait after failed attempt number `attempt`, from 1; None: the error is final.

        What the service asks for in `retryAfterMs` is waited in full, and the jitter on top of it: all whom it turned
        away at once would otherwise come back at once.
        """
        if not (error.retryable and error.category in RETRIED and attempt < self.max_attempts):
            return None
        jitter = self.draw() * min(self.cap_seconds, self.base_seconds * 2 ** (attempt - 1))
        delay = (error.retry_after or 0.0) + jitter
        return delay if delay + self.min_useful_seconds <= deadline.remaining() else None
