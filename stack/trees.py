"""Folders as a whole: what counts in them, their copy, and whether two are equal."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path


def files(folder: Path) -> Iterator[Path]:
    """All files below the folder that are content; caches of Python are not."""
    return (file for file in sorted(folder.rglob("*")) if file.is_file() and "__pycache__" not in file.parts)


def copy(source: Path, target: Path) -> None:
    """Copy the files with their modes, over those that are there; raises the first OSError as it is."""
    for file in files(source):
        destination = target / file.relative_to(source)
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, destination)


def digest(folder: Path) -> str:
    """A hash over the names and contents of the files."""
    total = hashlib.sha256()
    for file in files(folder):
        content = file.read_bytes()
        total.update(f"{file.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()
