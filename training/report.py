"""From a release and its answers on sets of photos to what is fitted on them, and to its card."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from preprocess.release import Abstention
from training import abstention, metrics
from training.abstention import ENERGY, LOG_ODDS
from training.card import Card, Choice, Confusion, Model, SampleFigures
from training.evaluation import join, measure
from training.inference import MODEL_FILE
from training.photos import file_hash
from training.refusals import count_refusals, score_histogram, separations, serve
from training.temperature import fit_temperature

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from preprocess.release import Release
    from training.card import PhotoSet, Provenance
    from training.evaluation import Sample
    from training.inference import Progress
    from training.metrics import RiskCoverage

SEED = 20261123
CURVE_POINTS = 120  # more than a picture of the curve can show
CONFUSIONS_SHOWN = 12
SOFTWARE = ("numpy", "onnxruntime", "pillow")
LEAVES, BACKGROUND = "/leaves", "/background"  # the two parts of a labelled sample


@dataclass(frozen=True, slots=True)
class Samples:
    """The model's answers on every set. `field` holds photos of known classes as well as of none."""

    calibration: Sample
    test: Sample | None = None
    field: tuple[Sample, ...] = ()

    @property
    def measured(self) -> Sample:
        """The sample whose figures count: the test set, or, without one, the calibration set."""
        return self.test or self.calibration

    @property
    def labelled(self) -> tuple[Sample, ...]:
        return (self.calibration, self.test) if self.test else (self.calibration,)


@dataclass(frozen=True, slots=True)
class Fit:
    """A release with what was fitted on its calibration photos, and by which rules."""

    release: Release
    log_odds: Choice
    energy: Choice
    min_confidence: Choice


def fit(release: Release, calibration: Sample) -> Fit:
    """Temperature and thresholds from the calibration sample alone. Raises `TemperatureError` where it gives none."""
    temperature = round(fit_temperature(calibration.logits, calibration.known_classes), 4)
    background = release.background
    is_leaf = calibration.known_classes != (-1 if background is None else background)
    leaves = calibration.part(LEAVES, is_leaf)
    log_odds = abstention.choose_log_odds(leaves.logits, calibration.logits[~is_leaf], background)
    energy = abstention.choose_energy(leaves.logits, background)
    unsure = Abstention(release.calibration.abstention.background_label, log_odds, energy, 0.0)
    fitted = replace(release, calibration=replace(release.calibration, temperature=temperature, abstention=unsure))
    min_confidence, reached = abstention.choose_min_confidence(_answered_curve(fitted, leaves))
    return Fit(
        _with_min_confidence(fitted, min_confidence),
        Choice(log_odds, abstention.LOG_ODDS_RULE),
        Choice(energy, abstention.ENERGY_RULE),
        Choice(min_confidence, abstention.MIN_CONFIDENCE_RULE if reached else abstention.MIN_CONFIDENCE_FALLBACK),
    )


def make_card(
    fitted: Fit,
    folder: Path,
    samples: Samples,
    *,
    photo_sets: Sequence[PhotoSet],
    provenance: Provenance,
    command: str,
    progress: Progress,
) -> Card:
    """Measure a fitted release on every sample."""
    release = fitted.release
    parts = [part for sample in samples.labelled for part in _parts(release, sample)]
    leaves = next(part for part in parts if part.name == samples.measured.name + LEAVES)
    others = [part for part in parts if part.name.endswith(BACKGROUND)] + _joined(samples.field)
    return Card(
        created=dt.datetime.now(dt.UTC).date().isoformat(),
        command=command,
        seed=SEED,
        provenance=provenance,
        model=_model(release, folder),
        photo_sets=tuple(photo_sets),
        measured_on=samples.measured.name,
        temperature=release.calibration.temperature,
        leaf_log_odds=fitted.log_odds,
        leaf_energy=fitted.energy,
        min_confidence=fitted.min_confidence,
        figures=_figures(release, samples, progress),
        refusals=tuple(count_refusals(release, sample, SEED) for sample in (*parts, *samples.field)),
        separations=separations(leaves, others, release.background, SEED),
        leaf_scores=tuple(score_histogram(name, (leaves, *others), release.background) for name in (LOG_ODDS, ENERGY)),
        risk_coverage={
            part.name: _thinned(_answered_curve(release, part)) for part in parts if part.name.endswith(LEAVES)
        },
        confusions=_confusions(release, samples.measured),
    )


def _parts(release: Release, sample: Sample) -> Iterator[Sample]:
    """The leaves of a labelled sample, then, if the model has a background label and the sample photos of it, those."""
    is_background = sample.known_classes == (-1 if release.background is None else release.background)
    yield sample.part(LEAVES, ~is_background)
    if is_background.any():
        yield sample.part(BACKGROUND, is_background)


def _joined(samples: Sequence[Sample]) -> list[Sample]:
    """Samples whose names share the part before a slash as one."""
    names = list(dict.fromkeys(sample.name.partition("/")[0] for sample in samples))
    return [join(name, [sample for sample in samples if sample.name.partition("/")[0] == name]) for name in names]


def _answered_curve(release: Release, leaves: Sample) -> RiskCoverage:
    """Of the leaves that are taken for leaves, and for ones like those the model knows."""
    served = serve(_with_min_confidence(release, 0.0), leaves)
    accepted = ~(served.not_a_leaf | served.low_confidence)
    correct = (served.classes == leaves.known_classes).astype(np.float64)
    return metrics.risk_coverage(served.confidence[accepted], correct[accepted])


def _figures(release: Release, samples: Samples, progress: Progress) -> tuple[SampleFigures, ...]:
    labels = [label.label for label in release.labels]
    known = [sample for sample in (*samples.labelled, *samples.field) if sample.classes is not None]
    figures = []
    for done, sample in enumerate(known):
        progress("measuring", done, len(known))
        before = measure(sample, 1.0, labels, SEED)
        after = measure(sample, release.calibration.temperature, labels, SEED)
        figures.append(SampleFigures(sample.name, before, after))
    progress("measuring", len(known), len(known))
    return tuple(figures)


def _confusions(release: Release, sample: Sample) -> tuple[Confusion, ...]:
    labels = [label.label for label in release.labels]
    counts = metrics.confusion(sample.known_classes, sample.logits.argmax(axis=1), len(labels))
    np.fill_diagonal(counts, 0)
    worst = np.argsort(-counts, axis=None, kind="stable")[:CONFUSIONS_SHOWN]
    pairs = [(*divmod(place, len(labels)), int(counts.flat[place])) for place in worst.tolist()]
    return tuple(Confusion(labels[truth], labels[answer], photos) for truth, answer, photos in pairs if photos)


def _thinned(curve: RiskCoverage) -> RiskCoverage:
    kept = np.unique(np.linspace(0, len(curve.risk) - 1, CURVE_POINTS).astype(np.int64))
    return replace(curve, coverage=curve.coverage[kept], risk=curve.risk[kept], confidence=curve.confidence[kept])


def _model(release: Release, folder: Path) -> Model:
    graph = folder / MODEL_FILE
    return Model(
        release.version,
        file_hash(graph),
        graph.stat().st_size,
        tuple(label.label for label in release.labels),
        release.preprocessing.size,
        {name: importlib.metadata.version(name) for name in SOFTWARE},
    )


def _with_min_confidence(release: Release, min_confidence: float) -> Release:
    chosen = replace(release.calibration.abstention, min_confidence=min_confidence)
    return replace(release, calibration=replace(release.calibration, abstention=chosen))
