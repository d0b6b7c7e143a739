"""Folders of photos as data: which photos lie in them, which leaf each shows, and a hash over all of them."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".heic"})
MANIFEST = "manifest.csv"
Shows: TypeAlias = Literal["known", "unknown", "non_leaf"]


class PhotosError(Exception):
    """A folder of photos that cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class LabelledPhotos:
    """Photos, their class indices int64 [N], and group indices int64 [N]: photos of one leaf share a group."""

    paths: tuple[Path, ...]
    classes: NDArray[np.int64]
    groups: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FieldSet:
    """A folder of photos from outside the lab: of one known label, of leaves in no class, or of no leaf.

    Sets whose names share the part before a slash are one set when scores are compared.
    """

    name: str
    title: str
    folder: Path
    shows: Shows
    label: str | None = None


@dataclass(frozen=True, slots=True)
class EvaluationSets:
    """Photos that were not used to choose anything: `<test>/<label>/<photo>`, and sets from the field.

    `train`: what the model was trained on; only its hash goes into the card.
    """

    test: Path
    train: Path | None = None
    field: tuple[FieldSet, ...] = ()


def photo_paths(folder: Path) -> list[Path]:
    """The photos below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)


def folder_hash(folder: Path) -> str:
    """SHA-256 over the sorted (relative path, SHA-256) pairs of a folder's photos: one photo changed, another hash."""
    digest = hashlib.sha256()
    for path in photo_paths(folder):
        digest.update(f"{path.relative_to(folder).as_posix()} {file_hash(path)}\n".encode())
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_labelled(folder: Path, labels: Sequence[str]) -> LabelledPhotos:
    """The photos of `<folder>/<label>/<photo>`; every folder's name must be one of the labels.

    Raises `PhotosError` for a folder that is missing, empty, or named after no label.
    """
    if not folder.is_dir():
        raise PhotosError(f"{folder} is no folder")
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if strangers := [name for name in names if name not in labels]:
        raise PhotosError(f"{folder}: no label of the release is called {', '.join(strangers)}")
    paths = tuple(path for name in names for path in photo_paths(folder / name))
    if not paths:
        raise PhotosError(f"{folder} has no photo in a folder named after a label")
    index_of = {label: index for index, label in enumerate(labels)}
    classes = [index_of[path.relative_to(folder).parts[0]] for path in paths]
    return LabelledPhotos(paths, np.array(classes, dtype=np.int64), read_groups(folder, paths))


def read_groups(folder: Path, paths: Sequence[Path]) -> NDArray[np.int64]:
    """Which leaf each photo shows, int64 [N]: `leaf_group` of the manifest in the folder or above it.

    A photo that no manifest gives a leaf is taken for a leaf of its own.
    """
    leaf_of = _read_manifest(folder)
    names = [leaf_of.get(path, f"photo {path}") for path in paths]
    _, groups = np.unique(names, return_inverse=True)
    return groups.astype(np.int64)


def _read_manifest(folder: Path) -> dict[Path, str]:
    for home in (folder, folder.parent):
        if (manifest := home / MANIFEST).is_file():
            with manifest.open(newline="", encoding="utf-8") as rows:
                return {home / row["path"]: leaf for row in csv.DictReader(rows) if (leaf := row.get("leaf_group"))}
    return {}
