"""How many users there are when, in seconds since the start of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from loadtest.report.objectives import LATENCIES, percentile

if TYPE_CHECKING:
    from loadtest.asking.answer import Sample

MAX_P95_SECONDS = LATENCIES[95]
MAX_ERROR_SHARE = 0.01  # of a step of the ramp: a handful of requests, where one error is soon more than 0.1 %


class Shape(Protocol):
    """`at`: seconds since the start, which was at `started_at` (epoch). None ends the run."""

    def users(self, at: float, started_at: float, samples: Sequence[Sample]) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Steady:
    """So many users for so long."""

    count: int
    seconds: float

    def users(self, at: float, started_at: float, samples: Sequence[Sample]) -> int | None:  # noqa: ARG002  (a Shape)
        return self.count if at < self.seconds else None


@dataclass(frozen=True, slots=True)
class Spike:
    """Two fifths of the time `count` users, one fifth `peak`, then `count` again."""

    count: int
    peak: int
    seconds: float

    @property
    def peak_from(self) -> float:
        return 0.4 * self.seconds

    @property
    def peak_until(self) -> float:
        return 0.6 * self.seconds

    def users(self, at: float, started_at: float, samples: Sequence[Sample]) -> int | None:  # noqa: ARG002  (a Shape)
        if at >= self.seconds:
            return None
        return self.peak if self.peak_from <= at < self.peak_until else self.count


@dataclass(frozen=True, slots=True)
class Step:
    """One level of the ramp: answers a second, p95 in seconds (NaN: none was answered), share of errors."""

    users: int
    began_at: float
    ended_at: float
    per_second: float
    p95: float
    error_share: float

    @property
    def holds(self) -> bool:
        return self.p95 <= MAX_P95_SECONDS and self.error_share <= MAX_ERROR_SHARE


@dataclass(slots=True)
class Ramp:
    """Half as many users more with every step, until p95 passes its limit, errors show, or `most` are there."""

    step_seconds: float
    first: int = 2
    most: int = 1000
    growth: float = 1.5
    steps: list[Step] = field(default_factory=list)

    def users(self, at: float, started_at: float, samples: Sequence[Sample]) -> int | None:
        """What is over stays over: while the users leave, a step would hold again."""
        while not self._is_over and (len(self.steps) + 1) * self.step_seconds <= at:
            self.steps.append(self._measured(started_at, samples))
        if self._is_over:
            return None
        level = self._level(len(self.steps))
        return level if level <= self.most else None

    @property
    def knee(self) -> Step | None:
        """Where more users only wait longer: the fewest that get 95 % of the most answers a second."""
        held = [step for step in self.steps if step.holds]
        best = max((step.per_second for step in held), default=0.0)
        return next((step for step in held if step.per_second >= 0.95 * best), None)

    @property
    def _is_over(self) -> bool:
        return bool(self.steps) and not self.steps[-1].holds

    def _level(self, number: int) -> int:
        level = self.first
        for _ in range(number):
            level = max(level + 1, int(level * self.growth))
        return level

    def _measured(self, started_at: float, samples: Sequence[Sample]) -> Step:
        """The step's first quarter is left to settling."""
        number = len(self.steps)
        began = started_at + number * self.step_seconds
        ended = began + self.step_seconds
        counted_from = began + self.step_seconds / 4
        within = [sample for sample in samples if counted_from <= sample.ended_at < ended]
        answered = [sample.seconds for sample in within if sample.is_ok]
        p95 = percentile(answered, 95)
        errors = 1 - len(answered) / len(within) if within else 1.0
        return Step(self._level(number), began, ended, len(answered) / (ended - counted_from), p95, errors)
