"""Intervals for figures: the bootstrap (Efron 1979) over leaves, since photos of one leaf are not independent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Statistics: TypeAlias = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""Indices of photos, repeats allowed → figures [F]; NaN where the photos do not give one."""

REPLICATES = 1000
LOW, HIGH = 0.025, 0.975  # a 95 % interval
NORMAL_QUANTILE = 1.959964  # of HIGH


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Figures [F] as measured, and in each resample [REPLICATES, F]."""

    values: NDArray[np.float64]
    resampled: NDArray[np.float64]

    def percentile(self, index: int) -> Estimate:
        """The interval of a mean: the quantiles of the resamples."""
        low, high = _quantiles(self.resampled[:, index])
        return Estimate(float(self.values[index]), low, high)

    def share(self, index: int, groups: int) -> Estimate:
        """The interval of a share; Wilson's, by groups, where all photos agree and so every resample does."""
        estimate = self.percentile(index)
        return wilson(estimate.value, groups) if estimate.value in (0, 1) else estimate

    def pivotal(self, index: int) -> Estimate:
        """The interval of a calibration error: resampling adds as much bias as the sample has, so the quantiles are
        mirrored at the value (Davison and Hinkley 1997, 5.2), and stretched to contain it."""
        value = float(self.values[index])
        low, high = _quantiles(self.resampled[:, index])
        return Estimate(value, min(max(2 * value - high, 0.0), value), max(2 * value - low, value))


def bootstrap(statistics: Statistics, groups: NDArray[np.int64], seed: int, replicates: int = REPLICATES) -> Bootstrap:
    """Figures of all photos, and of as many resamples of whole groups, drawn with replacement."""
    random = np.random.default_rng(seed)
    _, sizes = np.unique(groups, return_counts=True)
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(sizes)[:-1])
    resampled = [
        statistics(np.concatenate([members[group] for group in random.integers(len(members), size=len(members))]))
        for _ in range(replicates)
    ]
    return Bootstrap(statistics(np.arange(len(groups))), np.stack(resampled))


def wilson(share: float, count: int) -> Estimate:
    """The interval of a share of independent draws (Wilson 1927), which has a width even at 0 and 1."""
    squared = NORMAL_QUANTILE**2 / count
    centre = (share + squared / 2) / (1 + squared)
    half = NORMAL_QUANTILE / (1 + squared) * float(np.sqrt(share * (1 - share) / count + squared / (4 * count)))
    return Estimate(share, min(max(centre - half, 0.0), share), max(min(centre + half, 1.0), share))


def _quantiles(values: NDArray[np.float64]) -> tuple[float, float]:
    if np.isnan(values).all():
        return float("nan"), float("nan")
    low, high = np.nanquantile(values, (LOW, HIGH))
    return float(low), float(high)
