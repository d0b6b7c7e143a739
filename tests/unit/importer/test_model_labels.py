"""Labels files as people have them, and what is refused."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from preprocess.release import Label
from training.importer.errors import InvalidLabelsError
from training.importer.labels import read_labels, split_label

if TYPE_CHECKING:
    from pathlib import Path


def read(folder: Path, content: str) -> list[str]:
    path = folder / "labels.txt"
    path.write_text(content, encoding="utf-8")
    return [label.label for label in read_labels(path)]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Tomato___Late_blight", Label("Tomato___Late_blight", "Tomato", "Late blight", healthy=False)),
        ("Corn_(maize)___healthy", Label("Corn_(maize)___healthy", "Corn (maize)", "Healthy", healthy=True)),
        ("bean_rust", Label("bean_rust", "Unspecified", "bean rust", healthy=False)),
        ("Healthy", Label("Healthy", "Unspecified", "Healthy", healthy=True)),
    ],
)
def test_a_name_is_split_into_crop_condition_and_health(name: str, label: Label) -> None:
    assert split_label(name) == label


@pytest.mark.parametrize("content", ["a\nb\n", "a\r\nb\r\n", "\ufeffa\n b \n\n\n", '["a", "b"]', ' [ "a",\n"b" ]'])
def test_lines_and_json_lists_give_the_same_labels(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content) == ["a", "b"]


def test_the_shipped_labels_file_is_taken_as_it_is(tmp_path: Path) -> None:
    labels = (Label("x", "Bean", "Rust", healthy=False), Label("y", "Bean", "Healthy", healthy=True))
    path = tmp_path / "labels.json"
    path.write_text(json.dumps([asdict(label) for label in labels]), encoding="utf-8")
    assert read_labels(path) == labels


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "has 0 labels"),
        ("only\n", "has 1 labels; a classifier has at least two"),
        ("a\n\nb\n", "has no label in line 2"),
        ("a\nb\na\n", "has 'a' more than once"),
        ("___x\ny\n", "has no text on one side of ___"),
        ("[1, 2]", "Label 0 of labels.txt is 1; expected a text or an object with label, crop, condition, healthy"),
        ('["a", ""]', "Label 1 of labels.txt is ''"),
        ('["a", "b"', "damaged JSON"),
        ('{"0": "a"}', "is no JSON list"),
        ('[{"label": "a"}, "b"]', "Label 0"),
        ('[{"label": "a", "crop": "", "condition": "c", "healthy": true}, "b"]', "texts that are not empty"),
        ('[{"label": "a", "crop": "b", "condition": "c", "healthy": "no"}, "b"]', "true or false for healthy"),
    ],
)
def test_a_labels_file_that_cannot_be_meant_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(InvalidLabelsError) as caught:
        read(tmp_path, content)
    assert reason in str(caught.value)


def test_a_labels_file_of_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(InvalidLabelsError, match="no text in UTF-8"):
        read_labels(path)


def test_a_labels_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidLabelsError, match=r"labels\.txt cannot be read: No such file"):
        read_labels(tmp_path / "labels.txt")
