"""Calibrate a release and write its card: `python -m training.calibrate --release <folder> --data <…> --field <…>`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from preprocess.release import read_release
from training.atomic import replace_text
from training.card import Card, PhotoSet, Provenance
from training.evaluation import Sample
from training.inference import Classifier, Progress, silent
from training.page import render_page
from training.photos import (
    EvaluationSets,
    FieldSet,
    PhotosError,
    Shows,
    folder_hash,
    photo_paths,
    read_groups,
    read_labelled,
)
from training.plantvillage import PROVENANCE, evaluation_sets
from training.report import Samples, fit, make_card

if TYPE_CHECKING:
    from preprocess.release import Release

CALIBRATION, TEST = "calibration", "test"


def calibrate(
    release_folder: Path,
    calibration_folder: Path,
    evaluation: EvaluationSets | None = None,
    *,
    provenance: Provenance = Provenance(),
    command: str = "",
    progress: Progress = silent,
) -> Card:
    """Fit temperature and thresholds on `<calibration_folder>/<label>/<photo>`, measure, and write what was found into
    the release folder: `card.json`, `card.html` and, last, `calibration.json`, each whole or not at all.

    The folder must be a release already; of its `calibration.json` only `version` and `backgroundLabel` are kept.
    Without evaluation sets the figures are those of the calibration photos, and the card says so.
    Raises `ReleaseError`, `PhotosError` or `TemperatureError`; then nothing was written.
    """
    release = read_release(release_folder)
    classifier = Classifier(release_folder, release.preprocessing)
    samples = _samples(release, classifier, calibration_folder, evaluation, progress)
    fitted = fit(release, samples.calibration)
    sets = _photo_sets(calibration_folder, evaluation, progress)
    card = make_card(
        fitted, release_folder, samples, photo_sets=sets, provenance=provenance, command=command, progress=progress
    )
    replace_text(release_folder / "card.json", card.to_json())
    replace_text(release_folder / "card.html", render_page(card))
    replace_text(release_folder / "calibration.json", _calibration_json(card, fitted.release))
    return card


def _samples(
    release: Release, classifier: Classifier, calibration: Path, evaluation: EvaluationSets | None, progress: Progress
) -> Samples:
    labels = [label.label for label in release.labels]

    def labelled(name: str, folder: Path) -> Sample:
        photos = read_labelled(folder, labels)
        return Sample(name, classifier.logits(photos.paths, name, progress), photos.classes, photos.groups)

    def field(item: FieldSet) -> Sample:
        if not (paths := photo_paths(item.folder)):
            raise PhotosError(f"{item.folder} has no photos")
        if item.label is not None and item.label not in labels:
            raise PhotosError(f"{item.folder} shows {item.label}, which is no label of the release")
        classes = None if item.label is None else np.full(len(paths), labels.index(item.label))
        return Sample(item.name, classifier.logits(paths, item.name, progress), classes, np.arange(len(paths)))

    if evaluation is None:
        return Samples(labelled(CALIBRATION, calibration))
    return Samples(
        labelled(CALIBRATION, calibration),
        labelled(TEST, evaluation.test),
        tuple(field(item) for item in evaluation.field),
    )


def _photo_sets(calibration: Path, evaluation: EvaluationSets | None, progress: Progress) -> list[PhotoSet]:
    sets: list[tuple[str, str, Shows, str, Path]] = [
        (CALIBRATION, "Calibration", "known", "temperature, thresholds", calibration)
    ]
    if evaluation:
        if evaluation.train:
            sets.insert(0, ("train", "Training", "known", "weights", evaluation.train))
        sets.append((TEST, "Lab test", "known", "evaluation", evaluation.test))
        sets += [(item.name, item.title, item.shows, "evaluation", item.folder) for item in evaluation.field]
    described = []
    for done, (name, title, shows, used_for, folder) in enumerate(sets):
        progress("hashing", done, len(sets))
        paths = photo_paths(folder)
        leaves = len(np.unique(read_groups(folder, paths)))
        described.append(PhotoSet(name, title, shows, used_for, len(paths), leaves, folder_hash(folder)))
    progress("hashing", len(sets), len(sets))
    return described


def _calibration_json(card: Card, release: Release) -> str:
    content = {
        "version": release.version,
        "temperature": card.temperature,
        "calibrationError": round(card.headline.after.calibration_error.value, 4),
        "abstention": {
            "backgroundLabel": release.calibration.abstention.background_label,
            "leafLogOddsThreshold": card.leaf_log_odds.value,
            "leafEnergyThreshold": card.leaf_energy.value,
            "minConfidence": card.min_confidence.value,
        },
    }
    return json.dumps(content, indent=1) + "\n"


def _show(step: str, done: int, total: int) -> None:
    end = "\n" if done == total else ""
    print(f"\r{step}: {done}/{total}", end=end, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", type=Path, required=True, help="the folder with model.onnx, labels.json and so on")
    parser.add_argument("--data", type=Path, required=True, help="the folder with train/, calibration/ and test/")
    parser.add_argument("--field", type=Path, required=True, help="the folder with the field sets")
    options = parser.parse_args()
    # The card names the folders, not where they lie on somebody's machine.
    command = (
        f"python -m training.calibrate --release <release> --data {options.data.name} --field {options.field.name}"
    )
    card = calibrate(
        options.release,
        options.data / "calibration",
        evaluation_sets(options.data, options.field),
        provenance=PROVENANCE,
        command=command,
        progress=_show,
    )
    after = card.headline.after
    print(
        f"temperature {card.temperature}, accuracy {after.accuracy.value:.2%}, ECE {after.calibration_error.value:.2%}"
    )


if __name__ == "__main__":
    main()
