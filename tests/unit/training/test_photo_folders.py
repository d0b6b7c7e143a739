"""Folders of photos: labels by folder, leaves by manifest, and a hash that notices every change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from training.photos import PhotosError, folder_hash, read_labelled

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """Three photos of two labels, two of them of one leaf by the manifest above."""
    for name in ("red/1.jpg", "red/2.jpg", "blue/3.JPG"):
        photo = tmp_path / "test" / name
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.write_bytes(name.encode())
    (tmp_path / "manifest.csv").write_text("path,leaf_group\ntest/red/1.jpg,leaf 8\ntest/blue/3.JPG,leaf 8\n")
    return tmp_path / "test"


def test_classes_are_the_places_of_the_folders_names_among_the_labels(split: Path) -> None:
    photos = read_labelled(split, ["red", "green", "blue"])
    assert [path.name for path in photos.paths] == ["3.JPG", "1.jpg", "2.jpg"]
    assert photos.classes.tolist() == [2, 0, 0]


def test_photos_of_one_leaf_are_one_group_and_a_photo_that_the_manifest_lacks_is_its_own(split: Path) -> None:
    first, second, third = read_labelled(split, ["red", "blue"]).groups.tolist()
    assert first == second != third


def test_without_a_manifest_every_photo_is_a_leaf_of_its_own(split: Path) -> None:
    (split.parent / "manifest.csv").unlink()
    assert sorted(read_labelled(split, ["red", "blue"]).groups.tolist()) == [0, 1, 2]


def test_a_folder_that_no_label_names_is_refused(split: Path) -> None:
    with pytest.raises(PhotosError, match="blue"):
        read_labelled(split, ["red", "green"])


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "red").mkdir()
    with pytest.raises(PhotosError, match="no photo"):
        read_labelled(tmp_path, ["red"])


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PhotosError, match="no folder"):
        read_labelled(tmp_path / "nowhere", ["red"])


def test_the_hash_changes_with_a_photos_content_and_with_its_label_but_not_with_the_folders_place(split: Path) -> None:
    before = folder_hash(split)
    moved = split.rename(split.with_name("elsewhere"))
    assert folder_hash(moved) == before
    (moved / "red/1.jpg").rename(moved / "blue/1.jpg")
    relabelled = folder_hash(moved)
    (moved / "blue/1.jpg").write_bytes(b"other")
    assert len({before, relabelled, folder_hash(moved)}) == 3
