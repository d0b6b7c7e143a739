"""One run as it is reported: its requests, its load, and what a scenario found beside the objectives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from loadtest.ending import INTERRUPTED
from loadtest.report.objectives import LATENCIES, Verdict, judge, percentile

if TYPE_CHECKING:
    from loadtest.asking.answer import Sample


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a plot: seconds since the start, and values."""

    name: str
    at: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Plot:
    """Several lines over time. `limits`: dashed lines, by their names. `is_bad`: the less the better."""

    title: str
    unit: str
    lines: Sequence[Line]
    limits: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    is_stacked: bool = False
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """`samples`: all requests. `judged`: those that the objectives are for, in words `judged_are`; None: all.

    `findings`: further JSON. `is_cut_short`: somebody ended it before its time; nothing is known then.
    """

    title: str
    what: str
    command: str
    target: str
    started_at: float
    seconds: float
    samples: Sequence[Sample]
    load: Plot
    judged: Sequence[Sample] | None = None
    judged_are: str = ""
    verdicts: Sequence[Verdict] = ()
    findings: Mapping[str, Any] = field(default_factory=dict)
    plots: Sequence[Plot] = ()
    is_cut_short: bool = False

    def all_verdicts(self) -> list[Verdict]:
        found = [*judge(self.samples if self.judged is None else self.judged), *self.verdicts]
        return [replace(verdict, holds=None) for verdict in found] if self.is_cut_short else found

    @property
    def holds(self) -> bool:
        """As far as is known; what is not known is no failure, unless that is all."""
        return not self.is_cut_short and all(verdict.holds is not False for verdict in self.all_verdicts())

    @property
    def conclusion(self) -> str:
        if self.is_cut_short:
            return f"Cut short after {self.seconds:.0f} s: no verdict."
        if not self.holds:
            return "The objectives do not hold."
        unknown = ", ".join(verdict.objective for verdict in self.all_verdicts() if verdict.holds is None)
        return f"The objectives hold as far as is known. Not known: {unknown}." if unknown else "The objectives hold."

    @property
    def exit_status(self) -> int:
        return INTERRUPTED if self.is_cut_short else 0 if self.holds else 1


@dataclass(frozen=True, slots=True)
class Row:
    """Requests of one kind; latencies in seconds, of those that were answered."""

    kind: str
    requests: int
    per_second: float
    percentiles: Mapping[int, float]
    errors: Mapping[str, int]


def rows(run: Run) -> list[Row]:
    """For each kind and group; the last one is all of them."""
    by_kind: dict[str, list[Sample]] = {}
    for sample in run.samples:
        name = sample.kind if sample.group == "users" else f"{sample.kind}, {sample.group}"
        by_kind.setdefault(f"{name}, second sending" if sample.is_duplicate else name, []).append(sample)
    return [_row(kind, by_kind[kind], run.seconds) for kind in sorted(by_kind)] + [
        _row("all", run.samples, run.seconds)
    ]


def _row(kind: str, samples: Sequence[Sample], seconds: float) -> Row:
    answered = [sample.seconds for sample in samples if sample.is_ok]
    return Row(
        kind,
        len(samples),
        len(answered) / seconds,
        {percent: percentile(answered, percent) for percent in LATENCIES},
        Counter(sample.code for sample in samples if not sample.is_ok),
    )
