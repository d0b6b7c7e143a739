"""A release folder is read whole or refused with the file and the reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from preprocess.release import ReleaseError, read_release
from tests.unit.preprocess.releases import files, release, write

if TYPE_CHECKING:
    from pathlib import Path


def test_a_whole_folder_is_read(tmp_path: Path) -> None:
    assert read_release(write(tmp_path, files())) == release()


def test_the_background_is_found_by_its_label() -> None:
    assert release().background == 2
    assert release(background=None).background is None


def test_what_is_not_measured_or_not_used_is_null(tmp_path: Path) -> None:
    contents = files()
    contents["calibration.json"]["calibrationError"] = None
    contents["calibration.json"]["abstention"] = {
        "backgroundLabel": None,
        "leafLogOddsThreshold": None,
        "leafEnergyThreshold": -3.5,
        "minConfidence": 0.4,
    }
    calibration = read_release(write(tmp_path, contents)).calibration
    assert calibration.calibration_error is None
    assert calibration.abstention.background_label is None
    assert calibration.abstention.leaf_energy_threshold == -3.5


@pytest.mark.parametrize("name", ["labels.json", "preprocess.json", "calibration.json"])
@pytest.mark.parametrize("content", [None, "", "{", "[]", "null", '"text"', "{}", "\x80"])
def test_a_file_that_is_missing_or_of_another_shape_is_named(tmp_path: Path, name: str, content: str | None) -> None:
    write(tmp_path, files())
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(content, encoding="latin-1")
    with pytest.raises(ReleaseError, match=name):
        read_release(tmp_path)


WRONG: list[tuple[str, list[str | int], Any]] = [
    ("labels.json", [0, "label"], ""),
    ("labels.json", [0, "label"], "Tomato___healthy"),
    ("labels.json", [0, "healthy"], 1),
    ("labels.json", [0, "crop"], None),
    ("labels.json", [0], "Tomato___healthy"),
    ("labels.json", [0, "extra"], 1),
    ("preprocess.json", ["size"], 224.0),
    ("preprocess.json", ["size"], True),
    ("preprocess.json", ["size"], 4),
    ("preprocess.json", ["cropFraction"], 1.5),
    ("preprocess.json", ["cropFraction"], float("nan")),
    ("preprocess.json", ["interpolation"], "nearest"),
    ("preprocess.json", ["interpolation"], ["bicubic"]),
    ("preprocess.json", ["mean"], [0, 0, 0]),
    ("calibration.json", ["version"], 7),
    ("calibration.json", ["temperature"], 0),
    ("calibration.json", ["temperature"], "1.3"),
    ("calibration.json", ["temperature"], float("inf")),
    ("calibration.json", ["temperature"], 10**400),
    ("calibration.json", ["calibrationError"], -0.1),
    ("calibration.json", ["calibrationError"], 1.1),
    ("calibration.json", ["abstention"], None),
    ("calibration.json", ["abstention", "backgroundLabel"], "Not a label"),
    ("calibration.json", ["abstention", "leafEnergyThreshold"], float("nan")),
    ("calibration.json", ["abstention", "leafLogOddsThreshold"], "1"),
    ("calibration.json", ["abstention", "leafEnergyThreshold"], True),
    ("calibration.json", ["abstention", "minConfidence"], None),
    ("calibration.json", ["abstention", "minConfidence"], 2),
]


@pytest.mark.parametrize(("name", "path", "value"), WRONG, ids=str)
def test_a_wrong_value_is_refused_and_its_file_named(
    tmp_path: Path, name: str, path: list[str | int], value: Any
) -> None:
    contents = files()
    place = contents[name]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ReleaseError, match=name):
        read_release(write(tmp_path, contents))


def test_a_missing_field_is_refused_and_all_fields_named(tmp_path: Path) -> None:
    contents = files()
    del contents["calibration.json"]["temperature"]
    with pytest.raises(ReleaseError, match="temperature"):
        read_release(write(tmp_path, contents))


def test_one_label_is_no_choice(tmp_path: Path) -> None:
    contents = files()
    contents["labels.json"] = contents["labels.json"][:1]
    with pytest.raises(ReleaseError, match="two labels"):
        read_release(write(tmp_path, contents))


def test_deeply_nested_json_is_refused(tmp_path: Path) -> None:
    write(tmp_path, files())
    (tmp_path / "labels.json").write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(ReleaseError, match=r"labels\.json"):
        read_release(tmp_path)


def test_names_outside_of_ascii_are_kept(tmp_path: Path) -> None:
    contents = files()
    contents["labels.json"][0]["condition"] = "Krautfäule"
    (write(tmp_path, contents) / "labels.json").write_text(
        json.dumps(contents["labels.json"], ensure_ascii=False), encoding="utf-8"
    )
    assert read_release(tmp_path).labels[0].condition == "Krautfäule"


def test_log_odds_need_a_background_label_to_be_of(tmp_path: Path) -> None:
    contents = files()
    contents["calibration.json"]["abstention"].update(backgroundLabel=None, leafLogOddsThreshold=1.0)
    with pytest.raises(ReleaseError, match="leafLogOddsThreshold"):
        read_release(write(tmp_path, contents))
