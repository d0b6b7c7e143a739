"""Latencies of a closed loop in figures: requests a second, median, and what one in a hundred exceeds."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class Timing:
    """`rate`: what was asked for, photos as a rule, a second."""

    rate: float
    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, latencies: Sequence[float], seconds: float, photos_each: int = 1) -> Timing:
        """`latencies`: in seconds, of everything that ended within `seconds`."""
        if not latencies:
            raise ValueError(f"Nothing was finished in {seconds} s; measure for longer.")
        ordered = sorted(latencies)
        p50, p99 = (round(percentile(ordered, share) * 1000, 3) for share in (0.5, 0.99))
        return cls(round(len(latencies) * photos_each / seconds, 1), p50, p99)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest of the values that `share` of them do not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def repeat(work: Callable[[], object], seconds: float) -> tuple[list[float], float]:
    """How long each turn took, and all together: `seconds`, or until the end of the turn that reaches them."""
    latencies: list[float] = []
    work()  # what only the first turn pays
    begin = now = time.perf_counter()
    while now - begin < seconds:
        work()
        latencies.append(time.perf_counter() - now)
        now = time.perf_counter()
    return latencies, now - begin
