"""Requests over time: throughput, percentiles and errors in windows of equal length."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from loadtest.report.objectives import LATENCIES, percentile
from loadtest.report.run import Line, Plot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtest.asking.answer import Sample
    from loadtest.report.run import Run

WINDOWS = 90  # as many as a plot shows apart
MIN_WINDOW_SECONDS = 1.0


def window_seconds(run_seconds: float) -> float:
    return max(MIN_WINDOW_SECONDS, run_seconds / WINDOWS)


def windows(samples: Sequence[Sample], started_at: float, width: float) -> list[list[Sample]]:
    """By the time they were answered: what is in flight has no latency yet. The last one holds the last answer."""
    if not samples:
        return []
    last = max(sample.ended_at for sample in samples) - started_at
    cut: list[list[Sample]] = [[] for _ in range(int(max(last, 0.0) / width) + 1)]
    for sample in samples:
        cut[max(0, int((sample.ended_at - started_at) / width))].append(sample)
    return cut


def plots(run: Run) -> list[Plot]:
    """Throughput, latency, errors; without the stub of a window at the end."""
    width = window_seconds(run.seconds)
    cut = windows(run.samples, run.started_at, width)[: max(1, int(run.seconds / width))]
    at = [(index + 0.5) * width for index in range(len(cut))]
    return [_throughput(cut, at, width), _latency(cut, at), _errors(cut, at, width)]


def _throughput(cut: Sequence[Sequence[Sample]], at: Sequence[float], width: float) -> Plot:
    kinds = sorted({sample.kind for window in cut for sample in window})
    lines = [
        Line(kind, at, [sum(sample.is_ok and sample.kind == kind for sample in window) / width for window in cut])
        for kind in kinds
    ]
    return Plot("Throughput", "answers a second", lines, is_stacked=True)


def _latency(cut: Sequence[Sequence[Sample]], at: Sequence[float]) -> Plot:
    answered = [[sample.seconds for sample in window if sample.is_ok] for window in cut]
    lines = [Line(f"p{percent}", at, [percentile(each, percent) for each in answered]) for percent in LATENCIES]
    highest = max((value for line in lines for value in line.values if value == value), default=0.0)  # noqa: PLR0124  (NaN)
    near = {f"p{percent} ≤ {limit:g} s": limit for percent, limit in LATENCIES.items() if highest > limit / 4}
    return Plot("Latency", "seconds", lines, near, "of the requests answered in each window")


def _errors(cut: Sequence[Sequence[Sample]], at: Sequence[float], width: float) -> Plot:
    counted = [Counter(sample.code for sample in window if not sample.is_ok) for window in cut]
    codes = sorted({code for each in counted for code in each})
    lines = [Line(code, at, [each[code] / width for each in counted]) for code in codes]
    return Plot("Errors by code", "a second", lines, note="" if codes else "none", is_stacked=True, is_bad=True)
