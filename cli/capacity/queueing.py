"""Waiting at stations with several servers, and the time through all of them. Pure; seconds and requests a second.

Sources: Erlang C by the recursion of Erlang B (Cooper, Introduction to Queueing Theory, 1981, 3.3 and 3.4); the wait of
G/G/k by Allen and Cunneen (Allen, Probability, Statistics and Queueing Theory, 1990, 5.5.2), exact for M/M/k and M/G/1;
who waits at all waits about exponentially long (Tijms, A First Course in Stochastic Models, 2003, 9.6.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, exp, lgamma, log, sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

EPSILON = 1e-12


class OverloadedError(ValueError):
    """More comes than the servers can do: the queue would grow for ever."""


@dataclass(frozen=True, slots=True)
class Time:
    """A random time by its mean (s) and variance (s²); those of independent times add up."""

    mean: float
    variance: float = 0.0

    def __add__(self, other: Time) -> Time:
        return Time(self.mean + other.mean, self.variance + other.variance)

    def quantile(self, share: float) -> float:
        """What `share` of the cases do not exceed, as if it were gamma distributed (two moments; exact for M/M/1)."""
        if self.variance <= EPSILON * self.mean**2:
            return self.mean
        shape = self.mean**2 / self.variance
        return gamma_quantile(shape, share) * self.variance / self.mean


def total(times: Iterable[Time]) -> Time:
    return sum(times, Time(0.0))


def erlang_c(servers: int, offered: float) -> float:
    """Probability to wait with Poisson arrivals; `offered`: rate × service time, in erlangs.

    Raises `OverloadedError`."""
    if offered >= servers:
        raise OverloadedError(f"{offered:.3g} servers' work for {servers}")
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return servers * blocked / (servers - offered * (1 - blocked))


def wait(servers: int, rate: float, service: Time, arrival_variability: float = 1.0) -> Time:
    """In the queue, before service. `arrival_variability`: variance of the time between two over its squared mean.

    Raises `OverloadedError`."""
    offered = rate * service.mean
    waits = erlang_c(servers, offered)
    if waits == 0:
        return Time(0.0)
    service_variability = service.variance / service.mean**2
    mean = waits * service.mean / (servers - offered) * (arrival_variability + service_variability) / 2
    return Time(mean, 2 * mean**2 / waits - mean**2)


def batching(rate: float, alone: float, each: float) -> Time:
    """Answer time at a server that takes all that waits at once and needs `alone` for one and `each` more for one more.

    The batches' sizes are a Markov chain: so many arrive during a batch as make the next one, Poisson distributed. Its
    stationary distribution gives mean and variance (the model of Inoue, Queueing analysis of GPU-based inference
    servers with dynamic batching, Performance Evaluation 147, 2021). Raises `OverloadedError`.
    """
    if rate * each >= 1:
        raise OverloadedError(f"{rate * each:.3g} servers' work for one")
    seconds = alone + each * (np.arange(_most_in_a_batch(rate, alone, each) + 1) - 1.0)
    follow = _poisson(rate * seconds[1:], len(seconds))
    shares = _stationary(follow)
    # Who arrives within a batch waits for the rest of it, uniformly distributed; who finds nobody (column 0) does not.
    wait, own = np.repeat(seconds[1:, None], len(seconds), axis=1), np.repeat(seconds[None, :], len(shares), axis=0)
    wait[:, 0], own[:, 0] = 0.0, alone
    customers = shares[:, None] * follow * np.maximum(1, np.arange(len(seconds)))
    customers /= customers.sum()
    mean = float((customers * (wait / 2 + own)).sum())
    square = float((customers * (wait**2 / 3 + wait * own + own**2)).sum())
    return Time(mean, max(0.0, square - mean**2))


def _most_in_a_batch(rate: float, alone: float, each: float) -> int:
    """Eight standard deviations beyond the mean of a Poisson autoregression: more never come."""
    load = rate * each
    mean = max(1.0, rate * alone / (1 - load))
    return ceil(mean + 8 * sqrt(mean / (1 - load**2))) + 10


def _poisson(means: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Probabilities of 0, 1, … in a row for each mean."""
    numbers = np.arange(count)
    logarithms = numbers * np.log(means)[:, None] - means[:, None] - np.array([lgamma(n + 1) for n in numbers])
    found: NDArray[np.float64] = np.exp(logarithms)
    found /= found.sum(axis=1, keepdims=True)
    return found


def _stationary(follow: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the sizes 1, 2, …; a batch in which nobody came is followed by one of one."""
    steps = follow[:, 1:].copy()
    steps[:, 0] += follow[:, 0]
    equations = steps.T - np.eye(len(steps))
    equations[-1] = 1.0  # the last one follows from the others; instead, all shares are one
    shares: NDArray[np.float64] = np.linalg.solve(equations, np.eye(len(steps))[-1])
    return shares


def together(callers: int, alone: float, each: float) -> float:
    """Throughput of callers who ask again at once, and so come to be answered in one batch."""
    return callers / (alone + each * (callers - 1))


def batches(servers: int, rate: float, per_second: float, batch: int) -> Time:
    """Answer time at servers that take up to `batch` of what waits, `per_second` with full ones; an upper bound.

    Every batch takes as long as a full one, so half of a batch is waited for on average (uniformly) and a whole one for
    its own; beyond that, batches queue as in G/D/k with the arrivals of one in `batch` Poisson events.
    Raises `OverloadedError`.
    """
    seconds = batch / per_second
    queued = wait(servers, rate / batch, Time(seconds), arrival_variability=1 / batch)
    return Time(seconds / 2, seconds**2 / 12) + Time(seconds) + queued


def gamma_quantile(shape: float, share: float) -> float:
    """Of the gamma distribution with scale 1, by bisection."""
    low, high = 0.0, shape + 1.0
    while gamma_share(shape, high) < share:
        low, high = high, 2 * high
    while high - low > EPSILON * high:
        middle = (low + high) / 2
        low, high = (middle, high) if gamma_share(shape, middle) < share else (low, middle)
    return high


def gamma_share(shape: float, value: float) -> float:
    """The regularised lower incomplete gamma function, by its series (NIST DLMF 8.7.1; all terms are positive)."""
    if value <= 0:
        return 0.0
    term = sum_ = 1 / shape
    divisor = shape
    while term > sum_ * 1e-16:
        divisor += 1
        term *= value / divisor
        sum_ += term
    return min(1.0, sum_ * exp(shape * log(value) - value - lgamma(shape)))


def between(points: Iterable[tuple[float, float]], x: float) -> float:
    """On the straight lines through the points; beyond them on the nearest line, but not below its end."""
    known = sorted(points)
    if len(known) == 1:
        return known[0][1]
    (left, low), (right, high) = next((pair for pair in pairwise(known) if x <= pair[1][0]), (known[-2], known[-1]))
    value = low + (high - low) * (x - left) / (right - left)
    return max(value, min(low, high)) if not left <= x <= right else value
