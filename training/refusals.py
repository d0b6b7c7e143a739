"""Which photos the server refuses, and how well scores tell leaves from other things."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from preprocess.diagnosis import LOW_CONFIDENCE, NOT_A_LEAF, diagnose
from training import metrics
from training.abstention import SCORES
from training.bootstrap import Estimate, bootstrap, wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from preprocess.release import Release
    from training.evaluation import Sample
    from training.metrics import Classes, Floats

HISTOGRAM_BINS = 40
ANSWERS_KEPT = 3


@dataclass(frozen=True, slots=True)
class Served:
    """The first prediction's class and confidence, and whether it is withheld as no leaf or as not sure, each [N]."""

    classes: Classes
    confidence: Floats
    not_a_leaf: NDArray[np.bool_]
    low_confidence: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Refusals:
    """How a sample's photos fare, each served on its own. Confidence is that of the first prediction."""

    sample: str
    photos: int
    not_a_leaf: Estimate
    low_confidence: Estimate
    answered: Estimate
    right_when_answered: Estimate | None
    mean_confidence: float
    mean_confidence_when_answered: float | None
    first_predictions: dict[str, int]


@dataclass(frozen=True, slots=True)
class Separation:
    """The AUROC of a score between the leaves of known classes and another sample."""

    score: str
    against: str
    auroc: Estimate


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often a score falls between two edges: counts a bin for each sample. The outer bins hold what lies beyond."""

    score: str
    edges: Floats
    counts: dict[str, Classes]


def serve(release: Release, sample: Sample) -> Served:
    """What the server would say to each photo alone; by the serving code itself."""
    answers = [diagnose(release, [logits], top_k=1) for logits in sample.logits]
    firsts = [answer["predictions"][0] for answer in answers]
    index_of = {label.label: index for index, label in enumerate(release.labels)}
    return Served(
        np.array([index_of[first["label"]] for first in firsts]),
        np.array([first["confidence"] for first in firsts]),
        np.array([answer["abstainReason"] == NOT_A_LEAF for answer in answers]),
        np.array([answer["abstainReason"] == LOW_CONFIDENCE for answer in answers]),
    )


def count_refusals(release: Release, sample: Sample, seed: int) -> Refusals:
    """How often the server would refuse a sample's photos, and why."""
    served = serve(release, sample)
    answered = ~(served.not_a_leaf | served.low_confidence)
    right = None
    if sample.classes is not None and (answered & (sample.classes != release.background)).any():
        right = _share((served.classes == sample.classes)[answered], sample.groups[answered], seed)
    firsts = Counter(release.labels[index].label for index in served.classes.tolist())
    return Refusals(
        sample.name,
        len(answered),
        _share(served.not_a_leaf, sample.groups, seed),
        _share(served.low_confidence, sample.groups, seed),
        _share(answered, sample.groups, seed),
        right,
        float(served.confidence.mean()),
        float(served.confidence[answered].mean()) if answered.any() else None,
        dict(firsts.most_common(ANSWERS_KEPT)),
    )


def _share(mask: NDArray[np.bool_], groups: Classes, seed: int) -> Estimate:
    """Of photos [N]: Wilson's interval where each is a leaf of its own, otherwise the bootstrap over leaves."""
    leaves = len(np.unique(groups))
    if leaves == len(groups):
        return wilson(float(mask.mean()), leaves)
    return bootstrap(lambda indices: np.array([mask[indices].mean()]), groups, seed).share(0, leaves)


def separations(leaves: Sample, others: Sequence[Sample], background: int | None, seed: int) -> tuple[Separation, ...]:
    """The AUROC of every score between leaves and each other sample."""
    return tuple(
        Separation(name, other.name, _separation(partial(_scores, name, background), leaves, other, seed))
        for name in SCORES
        for other in others
    )


def _scores(name: str, background: int | None, sample: Sample) -> Floats:
    return SCORES[name](sample.logits, background)


def _separation(score: Callable[[Sample], Floats], leaves: Sample, other: Sample, seed: int) -> Estimate:
    scores = np.concatenate([score(leaves), score(other)])
    is_leaf = np.arange(len(scores)) < len(leaves.logits)
    groups = np.concatenate([leaves.groups, other.groups + leaves.groups.max() + 1])

    def statistics(indices: NDArray[np.int64]) -> Floats:
        drawn, values = is_leaf[indices], scores[indices]
        if drawn.all() or not drawn.any():
            return np.array([np.nan])
        return np.array([metrics.auroc(values[drawn], values[~drawn])])

    return bootstrap(statistics, groups, seed).percentile(0)


def score_histogram(score: str, samples: Sequence[Sample], background: int | None) -> Histogram:
    """A score on each sample, between the 0.5 and 99.5 % quantiles of all."""
    scores = {sample.name: _scores(score, background, sample) for sample in samples}
    low, high = np.quantile(np.concatenate(list(scores.values())), (0.005, 0.995))
    edges = np.linspace(low, max(high, low + 1e-6), HISTOGRAM_BINS + 1)  # an axis, even if all scores are one
    counts = {name: np.histogram(values.clip(low, high), edges)[0] for name, values in scores.items()}
    return Histogram(score, edges, counts)
