"""Whether a quantity grows: a robust slope, its interval, and a verdict that can also be «not known»."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Judgement: TypeAlias = Literal["flat", "growing", "not known"]

Series: TypeAlias = NDArray[np.float64]

MIN_POINTS = 5
WINDOWS = 30
Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Trend:
    """`change` over the whole time by the slope, and its 95 % interval; `level`: the median. In the quantity's unit."""

    level: float
    change: float
    low: float
    high: float
    allowed: float

    @property
    def judgement(self) -> Judgement:
        """Flat only when the interval leaves no room for more growth than is allowed, not just because none is seen."""
        if self.high <= self.allowed:
            return "flat"
        return "growing" if self.low > 0 else "not known"


def trend(at: Sequence[float], values: Sequence[float], allowed: float) -> Trend:
    """Of medians of `WINDOWS` windows, which samples close to each other in time do not sway. NaN values are left out.

    The slope is the median of those between all pairs of points, and the interval takes as many of them on each side as
    Kendall's rank test leaves open: Sen, «Estimates of the Regression Coefficient Based on Kendall's Tau» (1968). It
    supposes that the windows vary independently; a quantity that wanders has a wider interval in truth.
    """
    times, medians = _windows(at, values)
    if len(times) < MIN_POINTS:
        return Trend(_median(medians), math.nan, -math.inf, math.inf, allowed)
    first, second = np.triu_indices(len(times), 1)
    slopes = np.sort((medians[second] - medians[first]) / (times[second] - times[first]))
    low, high = _bounds(len(times), len(slopes))
    length = float(max(at) - min(at))
    change, least, most = (float(each) * length for each in (np.median(slopes), slopes[low], slopes[high]))
    return Trend(_median(medians), change, least, most, allowed)


def _windows(at: Sequence[float], values: Sequence[float]) -> tuple[Series, Series]:
    times, known = np.asarray(at, dtype=float), np.asarray(values, dtype=float)
    kept = ~np.isnan(known)
    times, known = times[kept], known[kept]
    parts = [part for part in np.array_split(np.argsort(times), min(WINDOWS, max(1, len(times)))) if len(part)]
    return np.array([times[part].mean() for part in parts]), np.array([np.median(known[part]) for part in parts])


def _bounds(points: int, slopes: int) -> tuple[int, int]:
    """Ranks of the interval's ends among the sorted slopes."""
    spread = Z_95 * math.sqrt(points * (points - 1) * (2 * points + 5) / 18)
    low = max(0, math.floor((slopes - spread) / 2))
    return low, slopes - 1 - low


def _median(values: Series) -> float:
    return float(np.median(values)) if len(values) else math.nan
