"""Looks at the stack every few seconds while it is under load, and says what has grown."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from loadtest.report.objectives import Verdict, percentile
from loadtest.report.run import Line, Plot
from loadtest.report.series import windows
from loadtest.soak.readings import Reading, connections, read
from loadtest.soak.trend import Trend, trend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtest.asking.answer import Sample
    from stack.paths import StatePaths

MEBIBYTE = 2**20
# Caches fill, buffers find their size, idle connections stay for a minute; what grows without end does so after that.
WARM_UP_SHARE, WARM_UP_SECONDS, LONGEST_WARM_UP_SHARE = 0.2, 120.0, 0.5
# A shorter run is warm-up for the most part: what grows in it may well stop.
MIN_SECONDS = WARM_UP_SECONDS / WARM_UP_SHARE
# Growth that counts as none: a share of the level, or this much where the level is small.
ALLOWED_SHARE = 0.05
LATENCY_WINDOWS = 60
ALLOWED = {"memory": 16.0, "open files": 8.0, "connections": 2.0, "shared memory": 16.0, "latency": 0.05}
UNITS = {"memory": "MiB", "open files": "files", "connections": "connections", "shared memory": "MiB", "latency": "s"}


@dataclass(slots=True)
class Watch:
    """`readings` in the order of time; `at` of each is in seconds since the start."""

    paths: StatePaths
    database_url: str
    every_seconds: float
    readings: list[Reading] = field(default_factory=list)

    async def look(self) -> None:
        """Until cancelled. The reading of `/proc` takes its time, and has a thread."""
        started = time.monotonic()
        while True:
            reading = await asyncio.to_thread(read, self.paths, time.monotonic() - started)
            count = await connections(self.database_url)
            self.readings.append(replace(reading, values={**reading.values, "connections": count}))
            await asyncio.sleep(self.every_seconds)

    @property
    def stub_ends(self) -> int:
        """Python processes of Triton that were there and are not any more."""
        seen: set[int] = set().union(*(reading.stubs for reading in self.readings))
        return len(seen - self.readings[-1].stubs) if self.readings else 0

    @property
    def restarts(self) -> int:
        return self.readings[-1].restarts - self.readings[0].restarts if self.readings else 0

    def lines(self) -> list[Line]:
        """Memory in MiB."""
        names = sorted(set().union(*(reading.values for reading in self.readings)))
        at = [reading.at for reading in self.readings]
        return [
            Line(name, at, [reading.values.get(name, float("nan")) / scale(name) for reading in self.readings])
            for name in names
        ]


def kind_of(name: str) -> str:
    """`memory of triton` → `memory`."""
    return name.partition(" of ")[0]


def scale(name: str) -> float:
    return MEBIBYTE if UNITS[kind_of(name)] == "MiB" else 1.0


def trends(lines: list[Line], seconds: float) -> dict[str, Trend]:
    """By the lines' names, without the time in which the stack warms up; not known of less than `MIN_SECONDS`."""
    found = {}
    warm_from = min(max(WARM_UP_SHARE * seconds, WARM_UP_SECONDS), LONGEST_WARM_UP_SHARE * seconds)
    for line in lines:
        kept = [(at, value) for at, value in zip(line.at, line.values, strict=True) if at >= warm_from]
        at, values = ([pair[0] for pair in kept], [pair[1] for pair in kept])
        level = trend(at, values, 0.0).level if kept else 0.0
        seen = trend(at, values, max(ALLOWED[kind_of(line.name)], ALLOWED_SHARE * level))
        found[line.name] = seen if seconds >= MIN_SECONDS else replace(seen, low=-math.inf, high=math.inf)
    return found


def verdict(name: str, found: Trend) -> Verdict:
    """`not known` is no failure: the run was too short to tell."""
    unit = UNITS[kind_of(name)]
    digits = 3 if unit == "s" else 1
    grown = f"{found.change:+.{digits}f} ({found.low:+.{digits}f} to {found.high:+.{digits}f})"
    measured = f"{found.judgement}: {found.level:.{digits}f} {unit}, {grown}"
    holds = {"flat": True, "growing": False, "not known": None}[found.judgement]
    return Verdict(name, f"≤ {found.allowed:+.{digits}f} {unit}", measured, holds)


def latency(samples: Sequence[Sample], started_at: float, seconds: float) -> list[Line]:
    """p50 and p95 of windows, in seconds."""
    width = seconds / LATENCY_WINDOWS
    cut = windows(samples, started_at, width)[:LATENCY_WINDOWS]
    answered = [[sample.seconds for sample in window if sample.is_ok] for window in cut]
    at = [(index + 0.5) * width for index in range(len(cut))]
    return [Line(f"latency of p{of}", at, [percentile(each, of) for each in answered]) for of in (50, 95)]


def plots(lines: list[Line]) -> list[Plot]:
    """One for each unit of measure."""
    by_kind: dict[str, list[Line]] = {}
    for line in lines:
        by_kind.setdefault(kind_of(line.name), []).append(replace(line, name=line.name.rpartition(" of ")[2]))
    return [Plot(kind.capitalize(), UNITS[kind], drawn) for kind, drawn in by_kind.items()]
