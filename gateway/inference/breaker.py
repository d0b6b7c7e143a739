"""Whether an address is asked at all: a circuit breaker that only a probe closes. Pure; the clock is given."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import TYPE_CHECKING

from gateway.inference.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

# In a row, without an answer between them. A probe that is refused opens at once: its photo is known to be good.
MAX_REFUSALS = 3
MAX_SLOW = 3
# Slow calls say that it is stuck if nobody else was answered meanwhile. Under overload a whole batch passes its
# deadline at once while the next one is answered: that is for admission to mend.
SILENT_SECONDS = 1.0
# A Triton that starts again is found within a second, and one that stays away costs one small photo a second.
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.1, 1.0
# An address that nobody has heard of for so long is asked, so that no caller is the first to find out.
QUIET_SECONDS = 5.0

SIGNS_OF_LIFE = frozenset({Outcome.ANSWERED, Outcome.REJECTED})
REFUSALS = frozenset({Outcome.REFUSED, Outcome.FAILED})


class State(IntEnum):
    """As the metric has them."""

    CLOSED = 0
    HALF_OPEN = 1  # a probe is under way
    OPEN = 2


class Breaker:
    """Counts refusals and slow calls apart: a dead server refuses, a stuck one is slow, and neither hides the other."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.state = State.CLOSED
        self.reason: str | None = None  # why it opened: refused or slow
        self._refusals = 0
        self._slow = 0
        self._heard_at = -math.inf
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._probe_at = clock()

    @property
    def seconds_to_probe(self) -> float:
        return max(0.0, self._probe_at - self._clock())

    def record(self, outcome: Outcome) -> bool:
        """The end of a call; whether it opened the breaker. What ends after the opening changes nothing."""
        if self.state is not State.CLOSED:
            return False
        if outcome in SIGNS_OF_LIFE:
            self._close()
        elif outcome in REFUSALS:
            self._refusals += 1
            self._probe_at = self._clock()
        elif outcome is Outcome.SLOW:
            self._slow += 1
            self._probe_at = self._clock()
        return self._open_if_too_many()

    def suspect(self) -> None:
        """Something went wrong that may be the caller's own doing: a probe is due, and nothing is counted."""
        if self.state is State.CLOSED:
            self._probe_at = min(self._probe_at, self._clock())

    def begin_probe(self) -> None:
        if self.state is State.OPEN:
            self.state = State.HALF_OPEN
        self._probe_at = self._clock() + self._pause_seconds

    def end_probe(self, outcome: Outcome) -> bool:
        """Whether it opened the breaker, which was closed."""
        if outcome in SIGNS_OF_LIFE or outcome is Outcome.UNSERVED:  # the latter is a matter of the release
            self._close()
            return False
        self._probe_at = self._clock() + self._pause_seconds
        if self.state is State.HALF_OPEN:
            self._pause_seconds = min(2 * self._pause_seconds, MAX_PAUSE_SECONDS)
            self._probe_at = self._clock() + self._pause_seconds
            self.state = State.OPEN
        elif self.state is State.CLOSED:
            if outcome in REFUSALS:
                self._refusals = MAX_REFUSALS
            else:
                self._slow += 1
        return self._open_if_too_many()

    def _close(self) -> None:
        self.state, self.reason = State.CLOSED, None
        self._refusals = self._slow = 0
        self._heard_at = self._clock()
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._probe_at = self._heard_at + QUIET_SECONDS

    def _open_if_too_many(self) -> bool:
        has_refused = self._refusals >= MAX_REFUSALS
        is_stuck = self._slow >= MAX_SLOW and self._clock() - self._heard_at >= SILENT_SECONDS
        if self.state is not State.CLOSED or not (has_refused or is_stuck):
            return False
        self.state = State.OPEN
        self.reason = "refused" if has_refused else "slow"
        self._probe_at = self._clock() + self._pause_seconds
        return True
