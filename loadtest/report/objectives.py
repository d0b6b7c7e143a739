"""Frond's objectives, and whether a run's requests kept them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loadtest.asking.answer import NOT_REPLAYED, OTHER_BYTES, Sample

# docs/guides/load-testing.md says where they come from.
LATENCIES = {50: 2.0, 95: 5.0, 99: 8.0}
MAX_ERROR_SHARE = 0.001  # 99.9 % available
WRONG_REPLAYS = frozenset({NOT_REPLAYED, OTHER_BYTES})


@dataclass(frozen=True, slots=True)
class Verdict:
    """One objective: what it is, what is wanted, what was measured. `holds` None: that is not known."""

    objective: str
    wanted: str
    measured: str
    holds: bool | None

    @property
    def mark(self) -> str:
        return {True: "holds", False: "DOES NOT HOLD", None: "not known"}[self.holds]


def judge(samples: Sequence[Sample]) -> list[Verdict]:
    """Latencies of the requests that were answered, errors of all, replays if there are; an empty run holds nothing."""
    if not samples:
        return [Verdict("requests", "some", "none", holds=False)]
    return [*_latencies(samples), errors(samples), *_replays(samples)]


def percentile(seconds: Sequence[float], percent: float) -> float:
    """The smallest of the values that at least so many percent do not exceed; NaN of none."""
    return float(np.percentile(seconds, percent, method="inverted_cdf")) if len(seconds) else float("nan")


def _latencies(samples: Sequence[Sample]) -> list[Verdict]:
    answered = [sample.seconds for sample in samples if sample.is_ok]
    return [
        Verdict(f"p{percent}", f"≤ {limit:g} s", duration(value), holds=value <= limit)
        for percent, limit in LATENCIES.items()
        for value in (percentile(answered, percent),)
    ]


def errors(samples: Sequence[Sample]) -> Verdict:
    """The share that was not answered as it should be."""
    failed = Counter(sample.code for sample in samples if not sample.is_ok)
    share = failed.total() / max(1, len(samples))
    which = f" ({', '.join(f'{count:,} × {code}' for code, count in failed.most_common(3))})" if failed else ""
    measured = f"{share:.2%}: {failed.total():,} of {len(samples):,}{which}"
    return Verdict("errors", f"≤ {MAX_ERROR_SHARE:.1%}", measured, holds=share <= MAX_ERROR_SHARE)


def _replays(samples: Sequence[Sample]) -> list[Verdict]:
    if not (sent := [sample for sample in samples if sample.is_duplicate]):
        return []
    wrong = sum(sample.code in WRONG_REPLAYS for sample in sent)
    measured = f"{len(sent) - wrong:,} of {len(sent):,}"
    return [Verdict("replays equal byte for byte", "all", measured, holds=wrong == 0)]


def duration(seconds: float) -> str:
    if np.isnan(seconds):
        return "–"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"
