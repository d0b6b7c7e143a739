"""How long a call would take that began now: better refused early than late. Pure; the clock is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# So few never queue for long: two instances of the model with one in each, and as many that wait.
FEW = 4
# Weight of a new interval. Answers come in batches of up to eight, a long interval and then short ones: several batches
# make the mean.
WEIGHT = 0.05
# The mean is exceeded half of the time; a caller is told no if most likely there would be no answer.
MARGIN = 1.25


class Load:
    """The calls in flight at one address, and the mean time between two answers while there are any (Little's law).

    What others send there shows in that time: each of two gateways gets half of the answers.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._interval_seconds: float | None = None
        self._last_answer = clock()
        self.in_flight = 0
        self._last_began = clock()

    @property
    def rank(self) -> tuple[int, float]:
        """The lowest is to be asked: the least in flight and, among equals, who was not asked for the longest time."""
        return self.in_flight, self._last_began

    def begin(self) -> float:
        """The time, for `end`."""
        self.in_flight += 1
        self._last_began = self._clock()
        return self._last_began

    def end(self, began: float, *, answered: bool) -> None:
        self.in_flight -= 1
        if not answered:
            return
        now = self._clock()
        # Between two answers, but not the time in which nobody asked.
        interval = now - max(self._last_answer, began)
        self._last_answer = now
        mean = self._interval_seconds
        self._interval_seconds = interval if mean is None else mean + WEIGHT * (interval - mean)

    def expected_seconds(self) -> float:
        """Until the answer of a call that begins now."""
        if self.in_flight < FEW or self._interval_seconds is None:
            return 0.0
        return (self.in_flight + 1) * self._interval_seconds * MARGIN
