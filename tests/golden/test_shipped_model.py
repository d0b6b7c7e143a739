"""The shipped classifier is what its card and the README say: measured again on the photos, where they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest

from preprocess.diagnosis import NOT_A_LEAF, diagnose
from preprocess.release import read_release
from tests.shared_data import NO_SHARED_DATA, SHARED_DATA
from training.inference import Classifier, silent
from training.photos import file_hash, folder_hash, photo_paths, read_labelled
from training.plantvillage import evaluation_sets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "model_repository" / "classifier" / "1"
LAB, FIELD = SHARED_DATA / "plantvillage", SHARED_DATA / "field"
MAX_MODEL_BYTES = 16e6
# Another processor's kernels may turn a doubtful photo: two of 883.
TOLERANCE = 0.0025

needs_photos = pytest.mark.skipif(not LAB.is_dir(), reason=NO_SHARED_DATA)


@dataclass(frozen=True, slots=True)
class Answers:
    """What the server would say to each photo [N] on its own."""

    labels: NDArray[np.str_]
    confidence: NDArray[np.float64]
    is_refused: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Measured:
    lab: Answers
    truth: NDArray[np.str_]
    non_leaf: Answers


@pytest.fixture(scope="module")
def card() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def measured() -> Measured:
    release = read_release(FOLDER)
    classifier = Classifier(FOLDER, release.preprocessing)

    def answers(paths: Sequence[Path]) -> Answers:
        found = [diagnose(release, [logits], top_k=1) for logits in classifier.logits(paths, "", silent)]
        return Answers(
            np.array([answer["predictions"][0]["label"] for answer in found]),
            np.array([answer["predictions"][0]["confidence"] for answer in found]),
            np.array([answer["abstainReason"] == NOT_A_LEAF for answer in found]),
        )

    test = read_labelled(LAB / "test", [label.label for label in release.labels])
    truth = np.array([path.parent.name for path in test.paths])
    return Measured(answers(test.paths), truth, answers(photo_paths(FIELD / "non_leaf")))


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 15) -> float:
    """By the definition (Naeini et al. 2015), and not by the code that wrote the card."""
    lower = np.arange(bins) / bins
    inside = [(confidence > low) & (confidence <= low + 1 / bins) for low in lower]
    return float(sum(abs((confidence[chosen] - right[chosen]).sum()) for chosen in inside) / len(confidence))


def shipped(card: dict[str, Any], kind: str, sample: str) -> dict[str, Any]:
    entry: dict[str, Any] = next(entry for entry in card[kind] if entry["sample"] == sample)
    return entry


def interval(estimate: dict[str, float], digits: int) -> str:
    return f"{estimate['low'] * 100:.{digits}f}–{estimate['high'] * 100:.{digits}f}"


@needs_photos
def test_it_is_right_for_97_of_100_lab_photos_as_its_card_says(measured: Measured, card: dict[str, Any]) -> None:
    accuracy = float((measured.lab.labels == measured.truth).mean())
    assert accuracy >= 0.97
    assert accuracy == pytest.approx(shipped(card, "figures", "test")["after"]["accuracy"]["value"], abs=TOLERANCE)


@needs_photos
def test_its_calibration_error_is_at_most_one_and_a_half_percent_as_its_card_says(
    measured: Measured, card: dict[str, Any]
) -> None:
    error = calibration_error(measured.lab.confidence, measured.lab.labels == measured.truth)
    assert error <= 0.015
    said = shipped(card, "figures", "test")["after"]["calibrationError"]["value"]
    assert error == pytest.approx(said, abs=TOLERANCE)


@needs_photos
def test_it_refuses_9_of_10_photos_of_other_things_and_hardly_a_lab_leaf(measured: Measured) -> None:
    is_leaf = measured.truth != read_release(FOLDER).calibration.abstention.background_label
    assert measured.non_leaf.is_refused.mean() >= 0.9
    assert measured.lab.is_refused[is_leaf].mean() <= 0.03


@needs_photos
def test_its_card_names_the_photos_that_are_here(card: dict[str, Any]) -> None:
    sets = evaluation_sets(LAB, FIELD)
    folders = {"train": LAB / "train", "calibration": LAB / "calibration", "test": LAB / "test"}
    folders |= {item.name: item.folder for item in sets.field}
    assert {entry["name"]: entry["sha256"] for entry in card["photoSets"]} == {
        name: folder_hash(folder) for name, folder in folders.items()
    }


def test_its_card_is_of_this_graph_and_this_calibration(card: dict[str, Any]) -> None:
    graph, release = FOLDER / "model.onnx", read_release(FOLDER)
    calibration, abstention = release.calibration, release.calibration.abstention
    assert (card["model"]["sha256"], card["model"]["sizeBytes"]) == (file_hash(graph), graph.stat().st_size)
    assert card["model"]["labels"] == [label.label for label in release.labels]
    assert card["temperature"] == calibration.temperature
    assert [card[name]["value"] for name in ("leafLogOdds", "leafEnergy", "minConfidence")] == [
        abstention.leaf_log_odds_threshold,
        abstention.leaf_energy_threshold,
        abstention.min_confidence,
    ]
    error = shipped(card, "figures", "test")["after"]["calibrationError"]["value"]
    assert round(error, 4) == calibration.calibration_error
    assert card["model"]["sha256"] in (FOLDER / "card.html").read_text(encoding="utf-8")


def test_the_readme_gives_the_figures_of_the_card(card: dict[str, Any]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in readme.splitlines() if line[:1] == "|"]
    said = {row[0]: row[1:] for row in rows}
    lab, tomato = shipped(card, "figures", "test"), shipped(card, "figures", "tomato")["after"]["accuracy"]
    accuracy, leaves = lab["after"]["accuracy"], shipped(card, "refusals", "test/leaves")
    before, after = (lab[when]["calibrationError"]["value"] for when in ("before", "after"))
    others, in_field = shipped(card, "refusals", "non_leaf"), shipped(card, "refusals", "tomato")
    refused = others["notALeaf"]
    assert said["accuracy, lab test split (883 photos)"] == [
        f"{accuracy['value'] * 100:.1f} %",
        interval(accuracy, 1),
    ]
    assert said["expected calibration error there, before → after temperature scaling"][0] == (
        f"{before * 100:.1f} % → {after * 100:.2f} %"
    )
    assert said["lab test leaves refused as no leaf"][0] == f"{leaves['notALeaf']['value'] * 100:.1f} %"
    assert said["photos of other things refused as no leaf"] == [
        f"{round(refused['value'] * others['photos'])} of {others['photos']}",
        interval(refused, 0),
    ]
    assert said["accuracy on 30 healthy tomato leaves in the field"] == [
        f"{tomato['value'] * 100:.0f} %",
        interval(tomato, 0),
    ]
    right = in_field["rightWhenAnswered"]["value"]
    prose = " ".join(readme.split())
    assert f"{in_field['answered']['value'] * 100:.0f} % are answered, of which {right * 100:.1f} % are right" in prose


def test_its_graph_is_small_and_takes_uint8_into_a_cast_only() -> None:
    """TensorRT takes uint8 into no other operator."""
    graph = onnx.load(FOLDER / "model.onnx").graph
    assert [node.op_type for node in graph.node if "IMAGE" in node.input] == ["Cast"]
    assert (FOLDER / "model.onnx").stat().st_size <= MAX_MODEL_BYTES
