"""How good and how honest probabilities are: pure functions of log-probabilities [N, C] and class indices [N]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Classes: TypeAlias = NDArray[np.int64]

BINS = 15  # as in Guo et al. 2017, so that figures can be compared


@dataclass(frozen=True, slots=True)
class Bins:
    """A reliability diagram as numbers, one entry a bin with photos: edges, photos, mean confidence, share right."""

    lower: Floats
    upper: Floats
    counts: Classes
    confidence: Floats
    accuracy: Floats


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """The risk-coverage curve (El-Yaniv and Wiener 2010): point k answers the k + 1 surest photos, of `confidence` up.

    `risk` is the share of wrong ones among them, `area` its mean over all coverages (AURC, Geifman et al. 2019).
    """

    coverage: Floats
    risk: Floats
    confidence: Floats
    area: float


def negative_log_likelihoods(log_probabilities: Floats, classes: Classes) -> Floats:
    """Minus log p(true class) of each photo, [N]; the NLL is the mean."""
    likelihoods: Floats = -log_probabilities[np.arange(len(classes)), classes]
    return likelihoods


def brier_scores(log_probabilities: Floats, classes: Classes) -> Floats:
    """Squared distance to the one-hot truth, summed over the classes (Brier 1950), 0 to 2, of each photo, [N]."""
    errors = np.exp(log_probabilities)
    errors[np.arange(len(classes)), classes] -= 1
    squared: Floats = (errors**2).sum(axis=1)
    return squared


def equal_width_bins(confidence: Floats, correct: Floats, bins: int = BINS) -> Bins:
    """Bins (k/bins, (k+1)/bins] of confidence."""
    edges = np.linspace(0, 1, bins + 1)
    return _bins(np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1), confidence, correct, edges)


def equal_mass_bins(confidence: Floats, correct: Floats, bins: int = BINS) -> Bins:
    """Bins of equally many photos, as near as whole numbers allow: adaptive binning (Nguyen and O'Connor 2015)."""
    bins = min(bins, len(confidence))
    order = np.argsort(confidence, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) * bins // len(order)
    starts = [int(np.searchsorted(place[order], index)) for index in range(bins)]
    edges = np.append(confidence[order][starts], confidence.max())
    return _bins(place, confidence, correct, edges)


def _bins(place: Classes, confidence: Floats, correct: Floats, edges: Floats) -> Bins:
    total = len(edges) - 1
    counts = np.bincount(place, minlength=total)
    used = counts > 0
    return Bins(
        edges[:-1][used],
        edges[1:][used],
        counts[used],
        np.bincount(place, confidence, total)[used] / counts[used],
        np.bincount(place, correct, total)[used] / counts[used],
    )


def calibration_error(bins: Bins) -> float:
    """Expected calibration error (Naeini et al. 2015): the bins' |confidence - accuracy|, weighted by their photos."""
    return float(np.abs(bins.confidence - bins.accuracy) @ bins.counts / bins.counts.sum())


def classwise_errors(log_probabilities: Floats, classes: Classes, bins: int = BINS) -> Floats:
    """The calibration error of each class's own probability, over all photos, [C] (Kull et al. 2019)."""
    count, labels = log_probabilities.shape
    gaps = np.exp(log_probabilities)
    place = np.clip(np.ceil(gaps * bins).astype(np.int64) - 1, 0, bins - 1) + np.arange(labels) * bins
    gaps[np.arange(count), classes] -= 1
    sums = np.bincount(place.ravel(), gaps.ravel(), labels * bins)
    errors: Floats = np.abs(sums).reshape(labels, bins).sum(axis=1) / count
    return errors


def confusion(classes: Classes, predicted: Classes, labels: int) -> Classes:
    """Counts int64 [C, C]: rows are the truth, columns the answers."""
    counts: Classes = np.bincount(classes * labels + predicted, minlength=labels**2).reshape(labels, labels)
    return counts


def auroc(positives: Floats, negatives: Floats) -> float:
    """The chance that a positive scores above a negative, ties counting half (Mann and Whitney 1947)."""
    ranked = np.sort(negatives)
    below = np.searchsorted(ranked, positives, side="left") + np.searchsorted(ranked, positives, side="right")
    return float(below.mean() / (2 * len(ranked)))


def risk_coverage(confidence: Floats, correct: Floats) -> RiskCoverage:
    """The curve from the surest photo alone to all of them."""
    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    risk = np.cumsum(1 - correct[order]) / answered
    area = float(risk.mean()) if len(risk) else float("nan")
    return RiskCoverage(answered / len(order), risk, confidence[order], area)
