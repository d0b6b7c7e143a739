"""The last minutes of this process: differences of its own counters, which only ever grow."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, deque
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping

    from gateway.metrics import Metrics

SAMPLE_SECONDS = 5.0
SAMPLES = 61  # five minutes
ROUTES = frozenset({"/v1/ai-inference", "/functions/v1/ai-inference"})


@dataclass(frozen=True, slots=True)
class Sample:
    """Diagnosis requests until `at`, a moment on the monotonic clock.

    `categories`: answered ones by error category, or `none`. `buckets`: how many took at most so many seconds.
    """

    at: float
    categories: Mapping[str, float]
    replayed: float
    buckets: Mapping[float, float]


@dataclass(frozen=True, slots=True)
class Recent:
    """What happened between two samples; a quantile is None while there were no requests."""

    seconds: float
    categories: dict[str, int]
    replayed: int
    p50_seconds: float | None
    p95_seconds: float | None


def read(metrics: Metrics) -> Sample:
    buckets = counts(metrics.request_seconds, "_bucket", "le", route=ROUTES)
    return Sample(
        at=time.monotonic(),
        categories=counts(metrics.requests, "_total", "category", route=ROUTES),
        replayed=counts(metrics.idempotency, "_total", "decision")["replayed"],
        buckets={float(bound): count for bound, count in buckets.items()},
    )


def counts(metric: Any, suffix: str, label: str, **chosen: Collection[str]) -> Counter[str]:
    """A metric's samples with the chosen labels, added up by one label."""
    found: Counter[str] = Counter()
    (family,) = metric.collect()
    for sample in family.samples:
        if sample.name.endswith(suffix) and all(sample.labels[name] in values for name, values in chosen.items()):
            found[sample.labels[label]] += sample.value
    return found


def between(first: Sample, last: Sample) -> Recent:
    categories = {name: int(count - first.categories.get(name, 0)) for name, count in last.categories.items()}
    buckets = {bound: count - first.buckets.get(bound, 0) for bound, count in last.buckets.items()}
    return Recent(
        seconds=last.at - first.at,
        categories={name: count for name, count in sorted(categories.items()) if count},
        replayed=int(last.replayed - first.replayed),
        p50_seconds=quantile(buckets, 0.5),
        p95_seconds=quantile(buckets, 0.95),
    )


def quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """As Prometheus' `histogram_quantile`: linear within a bucket; the last bound for what took longer than it."""
    bounds = sorted(buckets)
    if not bounds or not buckets[bounds[-1]]:
        return None
    rank = share * buckets[bounds[-1]]
    lower = below = 0.0
    for bound in bounds:
        if buckets[bound] >= rank:
            return lower if math.isinf(bound) else lower + (bound - lower) * (rank - below) / (buckets[bound] - below)
        lower, below = bound, buckets[bound]
    return lower


class Window:
    """Remembers a sample every few seconds, whether anyone asks or not."""

    def __init__(self, read_sample: Callable[[], Sample]) -> None:
        self._read = read_sample
        self._samples = deque([read_sample()], SAMPLES)

    def note(self) -> None:
        self._samples.append(self._read())

    def recent(self) -> Recent:
        """From the oldest sample until now."""
        return between(self._samples[0], self._read())


@asynccontextmanager
async def open_window(read_sample: Callable[[], Sample]) -> AsyncIterator[Window]:
    window = Window(read_sample)
    task = asyncio.create_task(keep_noting(window))
    try:
        yield window
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def keep_noting(window: Window) -> None:
    while True:
        await asyncio.sleep(SAMPLE_SECONDS)
        window.note()
