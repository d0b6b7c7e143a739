"""How right and how honest a release is on a set of photos: its figures, each with an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from preprocess.probability import log_probabilities
from training import metrics
from training.bootstrap import HIGH, LOW, REPLICATES, Bootstrap, Estimate, bootstrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.metrics import Bins, Classes, Floats

WHOLE_FIGURES = 5  # accuracy, NLL, Brier, calibration error, adaptive calibration error; then three blocks by class


@dataclass(frozen=True, slots=True)
class Sample:
    """A set of photos as the model sees it: logits [N, C], class indices [N] where the photos are of known classes, and
    the leaf each shows [N]."""

    name: str
    logits: NDArray[np.float32]
    classes: Classes | None
    groups: Classes

    @property
    def known_classes(self) -> Classes:
        if self.classes is None:
            raise ValueError(f"the classes of {self.name} are not known")
        return self.classes

    def part(self, suffix: str, mask: NDArray[np.bool_]) -> Sample:
        """The photos of a mask [N], as a sample of its own."""
        classes = None if self.classes is None else self.classes[mask]
        return Sample(self.name + suffix, self.logits[mask], classes, self.groups[mask])


def join(name: str, samples: Sequence[Sample]) -> Sample:
    """Samples of photos, each of a leaf of its own, as one; its classes are not looked at."""
    logits = np.concatenate([sample.logits for sample in samples])
    return Sample(name, logits, None, np.arange(len(logits)))


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class: its photos, the share that gets it, the share of its answers that is right, its calibration error."""

    label: str
    photos: int
    leaf_groups: int
    recall: Estimate
    precision: Estimate | None
    calibration_error: Estimate


@dataclass(frozen=True, slots=True)
class Figures:
    """A sample at one temperature. `calibration_error_floor`: what a perfectly calibrated model with these confidences
    would show on as many photos, since binning makes chance look like miscalibration (Broecker and Smith 2007)."""

    temperature: float
    accuracy: Estimate
    negative_log_likelihood: Estimate
    brier: Estimate
    calibration_error: Estimate
    adaptive_calibration_error: Estimate
    calibration_error_floor: Estimate
    bins: Bins
    adaptive_bins: Bins
    classes: tuple[ClassFigures, ...]


def measure(sample: Sample, temperature: float, labels: Sequence[str], seed: int) -> Figures:
    """Every figure of a sample of known classes at one temperature."""
    classes = sample.known_classes
    everything = log_probabilities(sample.logits, temperature)

    def statistics(indices: NDArray[np.int64]) -> Floats:
        return _statistics(everything[indices], classes[indices])

    drawn = bootstrap(statistics, sample.groups, seed)
    predicted = everything.argmax(axis=1)
    confidence, correct = np.exp(everything.max(axis=1)), (predicted == classes).astype(np.float64)
    return Figures(
        temperature,
        drawn.share(0, len(np.unique(sample.groups))),
        drawn.percentile(1),
        drawn.percentile(2),
        drawn.pivotal(3),
        drawn.pivotal(4),
        calibration_floor(confidence, seed),
        metrics.equal_width_bins(confidence, correct),
        metrics.equal_mass_bins(confidence, correct),
        tuple(_class_figures(drawn, labels, index, sample, predicted) for index in np.unique(classes).tolist()),
    )


def _statistics(everything: Floats, classes: Classes) -> Floats:
    """The `WHOLE_FIGURES`, then recall, precision and calibration error of each class: [5 + 3 C]."""
    predicted = everything.argmax(axis=1)
    confidence, correct = np.exp(everything.max(axis=1)), (predicted == classes).astype(np.float64)
    counts = metrics.confusion(classes, predicted, everything.shape[1])
    photos, answers = counts.sum(axis=1), counts.sum(axis=0)
    right = np.where(photos > 0, counts.diagonal(), np.nan)  # of a class that was not drawn nothing is known
    with np.errstate(invalid="ignore"):  # 0 / 0: a class without answers has no precision
        recall, precision = right / photos, right / answers
    whole = (
        correct.mean(),
        metrics.negative_log_likelihoods(everything, classes).mean(),
        metrics.brier_scores(everything, classes).mean(),
        metrics.calibration_error(metrics.equal_width_bins(confidence, correct)),
        metrics.calibration_error(metrics.equal_mass_bins(confidence, correct)),
    )
    return np.concatenate([whole, recall, precision, metrics.classwise_errors(everything, classes)])


def _class_figures(
    drawn: Bootstrap, labels: Sequence[str], index: int, sample: Sample, predicted: Classes
) -> ClassFigures:
    recall, precision, error = (WHOLE_FIGURES + block * len(labels) + index for block in range(3))
    photos, answers = sample.groups[sample.classes == index], sample.groups[predicted == index]
    leaf_groups = len(np.unique(photos))
    return ClassFigures(
        labels[index],
        len(photos),
        leaf_groups,
        drawn.share(recall, leaf_groups),
        drawn.share(precision, len(np.unique(answers))) if len(answers) else None,
        drawn.pivotal(error),
    )


def calibration_floor(confidence: Floats, seed: int) -> Estimate:
    """The calibration error of answers that are right just as often as they say, [N]: its mean and 95 % range."""
    random = np.random.default_rng(seed)
    errors = [
        metrics.calibration_error(
            metrics.equal_width_bins(confidence, (random.random(len(confidence)) < confidence).astype(np.float64))
        )
        for _ in range(REPLICATES)
    ]
    low, high = np.quantile(errors, (LOW, HIGH))
    return Estimate(float(np.mean(errors)), float(low), float(high))
