"""From the seconds that requests took to what is reported of a target at one size."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from loadtest.gpu.timing import percentile

MILLISECONDS = 1000


class TooShortError(Exception):
    """A round in which nothing was answered says nothing."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Requests/s under load: the median of the rounds, the lowest and the highest. Milliseconds over all rounds.

    `alone_p50_ms`: of one client, that has the server for itself.
    """

    rate: float
    lowest: float
    highest: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    alone_p50_ms: float


@dataclass(slots=True)
class Rounds:
    """What was measured so far, round by round."""

    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)

    def add(self, under_load: list[float], seconds: float, alone: list[float]) -> None:
        """One round: how long each request took that ended within `seconds` of load, and each of a client alone.

        Raises `TooShortError` where there is none.
        """
        if not under_load or not alone:
            raise TooShortError(
                f"Nothing was answered within {seconds} s of load, or a part of that alone; take more --seconds."
            )
        self.rates.append(len(under_load) / seconds)
        self.latencies += under_load
        self.alone += alone

    def figures(self) -> Figures:
        ordered = sorted(self.latencies)
        return Figures(
            rate=statistics.median(self.rates),
            lowest=min(self.rates),
            highest=max(self.rates),
            p50_ms=percentile(ordered, 0.5) * MILLISECONDS,
            p95_ms=percentile(ordered, 0.95) * MILLISECONDS,
            p99_ms=percentile(ordered, 0.99) * MILLISECONDS,
            alone_p50_ms=percentile(sorted(self.alone), 0.5) * MILLISECONDS,
        )
