"""A release calibrated end to end: what is written, what it says, and what stays untouched when it cannot be done."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from preprocess.release import ReleaseError, read_release
from tests.unit.training.synthetic_release import LABELS, write_photos, write_release, write_split
from training.calibrate import calibrate
from training.card import Provenance, Source
from training.photos import EvaluationSets, FieldSet, PhotosError, folder_hash
from training.temperature import TemperatureError

if TYPE_CHECKING:
    from pathlib import Path

    from training.card import Card

VOID = frozenset({"meta", "wbr"})
TITLE = "Colours & <shapes>"


@dataclass(frozen=True, slots=True)
class Made:
    """What a calibration of the synthetic release left."""

    folder: Path
    data: Path
    card: Card
    json: dict[str, Any]
    page: str


def made(folder: Path, data: Path, evaluation: EvaluationSets | None) -> Made:
    source = Source("Colours", "everything", "CC0", "nobody")
    provenance = Provenance(TITLE, "Tests.", ("It sees nothing but colour.",), (source,))
    card = calibrate(folder, data / "calibration", evaluation, provenance=provenance, command="make colours")
    content = json.loads((folder / "card.json").read_text())
    return Made(folder, data, card, content, (folder / "card.html").read_text())


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("tested")
    field = (
        FieldSet("rust", "Rust, field", write_photos(root / "field/rust", 1, 12, 50, noise=80), "known", LABELS[1]),
        FieldSet("pears/a", "Pears", write_photos(root / "field/pears", 0, 6, 51), "unknown"),
        FieldSet("pears/b", "Ripe pears", write_photos(root / "field/ripe", 1, 6, 52), "unknown"),
        FieldSet("sky", "Sky", write_photos(root / "field/sky", 2, 10, 53, noise=20), "non_leaf"),
    )
    sets = EvaluationSets(write_split(root / "test", 30, 20), write_split(root / "train", 2, 30), field)
    write_split(root / "calibration", 60, 10)
    return made(write_release(root / "release"), root, sets)


@pytest.fixture(scope="module")
def untested(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("untested")
    write_split(root / "calibration", 30, 10)
    return made(write_release(root / "release", background=None), root, None)


def test_the_release_is_served_with_what_was_fitted(tested: Made) -> None:
    release = read_release(tested.folder)
    assert release.version == "7"
    assert release.calibration.temperature == tested.card.temperature != 1
    assert release.calibration.abstention.leaf_log_odds_threshold == tested.card.leaf_log_odds.value
    assert release.calibration.abstention.leaf_energy_threshold == tested.card.leaf_energy.value
    assert release.calibration.abstention.min_confidence == tested.card.min_confidence.value


def test_the_calibration_error_told_to_clients_is_that_of_the_test_set_after_calibration(tested: Made) -> None:
    (entry,) = (entry for entry in tested.card.figures if entry.sample == "test")
    assert read_release(tested.folder).calibration.calibration_error == round(entry.after.calibration_error.value, 4)


def test_calibration_lowers_the_likelihoods_loss_on_photos_it_did_not_see(tested: Made) -> None:
    before, after = tested.card.headline.before, tested.card.headline.after
    assert after.negative_log_likelihood.value < before.negative_log_likelihood.value
    assert after.calibration_error.value < before.calibration_error.value
    assert after.accuracy == before.accuracy


def test_the_card_hashes_every_set_and_the_graph(tested: Made) -> None:
    hashes = {entry["name"]: entry["sha256"] for entry in tested.json["photoSets"]}
    assert hashes["test"] == folder_hash(tested.data / "test")
    assert hashes["train"] == folder_hash(tested.data / "train")
    assert len(set(hashes.values())) == len(hashes) == 7
    assert re.fullmatch("[0-9a-f]{64}", tested.json["model"]["sha256"])


def test_every_interval_of_the_card_contains_its_value(tested: Made) -> None:
    estimates = list(objects_with(tested.json, {"value", "low", "high"}))
    floors = [entry["after"]["calibrationErrorFloor"] for entry in tested.json["figures"]]
    assert len(estimates) > 50
    assert all(entry["low"] <= entry["value"] <= entry["high"] for entry in estimates if entry not in floors)


def test_the_accuracy_of_the_card_is_that_of_the_photos(tested: Made) -> None:
    entry = next(entry for entry in tested.json["figures"] if entry["sample"] == "test")["after"]
    recalls = [label["recall"]["value"] * label["photos"] for label in entry["classes"]]
    assert entry["accuracy"]["value"] == pytest.approx(sum(recalls) / 90, abs=1e-5)
    wrong = sum(pair["photos"] for pair in tested.json["confusions"])
    assert wrong == round(90 * (1 - entry["accuracy"]["value"])) > 0


def test_field_photos_of_a_known_label_have_figures_and_others_only_refusals(tested: Made) -> None:
    assert [entry["sample"] for entry in tested.json["figures"]] == ["calibration", "test", "rust"]
    refusals = {entry["sample"]: entry for entry in tested.json["refusals"]}
    assert refusals["pears/a"]["rightWhenAnswered"] is None
    assert refusals["rust"]["rightWhenAnswered"]["value"] > 0
    for entry in refusals.values():
        shares = [entry[reason]["value"] for reason in ("notALeaf", "lowConfidence", "answered")]
        assert sum(shares) == pytest.approx(1, abs=1e-5)


def test_photos_of_no_leaf_are_refused_and_leaves_are_not(tested: Made) -> None:
    refusals = {entry["sample"]: entry["notALeaf"]["value"] for entry in tested.json["refusals"]}
    assert refusals["sky"] > 0.8
    assert refusals["test/leaves"] < 0.4


def test_sets_that_share_a_name_before_the_slash_are_compared_as_one(tested: Made) -> None:
    against = {entry["against"] for entry in tested.json["separations"]}
    assert against == {"calibration/background", "test/background", "rust", "pears", "sky"}


def test_without_a_test_set_the_card_says_so(untested: Made) -> None:
    assert untested.json["measuredOn"] == "calibration"
    assert "There was no test set" in untested.page
    assert untested.json["separations"] == []


def test_the_same_photos_give_the_same_card(untested: Made) -> None:
    again = made(untested.folder, untested.data, None)
    assert again.json == untested.json
    assert again.page == untested.page


def test_a_release_without_photos_to_learn_from_stays_as_it_was(tmp_path: Path) -> None:
    folder = write_release(tmp_path / "release")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for channel, label in enumerate(LABELS):
        write_photos(tmp_path / "easy" / label, channel, 20, 1, noise=0)
    with pytest.raises(TemperatureError, match="answered right"):
        calibrate(folder, tmp_path / "easy")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_photo_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = write_release(tmp_path / "release")
    (write_split(tmp_path / "photos", 12, 1) / LABELS[0] / "3.png").write_bytes(b"no picture")
    with pytest.raises(PhotosError, match=re.escape("3.png")):
        calibrate(folder, tmp_path / "photos")


def test_a_folder_that_is_no_release_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError):
        calibrate(tmp_path, write_split(tmp_path / "photos", 12, 1))


def test_progress_ends_at_the_end_of_every_step(tmp_path: Path) -> None:
    steps: dict[str, tuple[int, int]] = {}
    folder, photos = write_release(tmp_path / "release"), write_split(tmp_path / "photos", 12, 1)
    calibrate(folder, photos, progress=lambda step, done, total: steps.update({step: (done, total)}))
    assert steps == {"calibration": (36, 36), "hashing": (1, 1), "measuring": (1, 1)}


@pytest.mark.parametrize("name", ["tested", "untested"])
def test_the_page_is_small_well_formed_and_loads_nothing(name: str, request: pytest.FixtureRequest) -> None:
    page = request.getfixturevalue(name).page
    checker = TagChecker()
    checker.feed(page)
    assert checker.open == []
    assert len(checker.ids) == len(set(checker.ids))
    assert len(page.encode()) < 300_000
    assert not re.search(r"<script|<link|<img|src=|href=|url\(|@import|\bnan\b|\bNone\b", page)


@pytest.mark.parametrize("name", ["tested", "untested"])
def test_every_picture_is_well_formed_and_described(name: str, request: pytest.FixtureRequest) -> None:
    pictures = re.findall("<svg.*?</svg>", request.getfixturevalue(name).page)
    assert len(pictures) == 5
    for picture in pictures:
        root = ET.fromstring(picture)  # noqa: S314 - our own text
        told = [child for child in root if child.tag in {"title", "desc"}]
        assert root.attrib["aria-labelledby"].split() == [child.attrib["id"] for child in told]
        assert all(child.text for child in told)


def test_every_table_names_its_columns_and_rows(tested: Made) -> None:
    for table in re.findall("<table.*?</table>", tested.page):
        columns = table.count("<th scope=col>")
        assert table.count("<td") == (columns - 1) * table.count("<th scope=row>") > 0


def test_text_from_outside_is_escaped(tested: Made) -> None:
    assert "Colours &amp; &lt;shapes&gt;" in tested.page
    assert "<shapes>" not in tested.page


def test_calibrating_needs_none_of_the_training_libraries() -> None:
    program = "import sys, training.calibrate; print({'torch', 'scipy', 'matplotlib', 'tqdm'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


class TagChecker(HTMLParser):
    """Keeps the elements that are open, and every id."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def objects_with(value: Any, keys: set[str]) -> Any:
    if isinstance(value, dict):
        if set(value) == keys:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for entry in value:
            yield from objects_with(entry, keys)
