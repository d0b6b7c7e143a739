"""Folders of releases in a model repository: built outside, moved in as a whole, and cleared away after a dead command.

Triton scans the repository at its start, so nothing half-written may ever lie in it. A release is built in a folder
beside the repository, on the same file system, and renamed into it. Its builder holds the kernel's lock on that folder
until it is registered; a folder that is neither registered nor locked was left by a command that died.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.atomic import sync_folder
from training.importer.errors import InvalidOptionError, RepositoryError
from training.importer.registry import Registry, locked, try_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

VERSION_FOLDER = "1"  # each release is a Triton model of its own with this one version
SHIPPED = "classifier"
PREFIX = f"{SHIPPED}_"
SOURCE = "source.json"  # what only `frond model add` writes: other folders are not ours to clear away
VERSION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")


@dataclass(frozen=True, slots=True)
class Draft:
    """A release being built: `folder` is private until `publish`, and then the model's folder in the repository."""

    repository: Path
    version: str
    model: str
    folder: Path

    @property
    def contents(self) -> Path:
        return self.folder / VERSION_FOLDER

    @property
    def published(self) -> Path:
        return self.repository / self.model

    def publish(self) -> None:
        """Move the finished folder into the repository in one step, after every byte of it is on the disk."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            else:
                sync_folder(path)
        sync_folder(self.folder)
        self.folder.rename(self.published)
        sync_folder(self.repository)

    def withdraw(self) -> None:
        """Take it out of the repository again, in one step."""
        if self.published.exists():
            self.published.rename(self.folder)


@contextmanager
def drafting(repository: Path, wanted: str | None, unload: Callable[[str], None]) -> Iterator[Draft]:
    """Reserve a version (`wanted`, or the next number) and a folder for it; unless published, it is removed again.

    Raises `InvalidOptionError` for a version that cannot be used. `unload` is called for models found to be left over.
    """
    with locked(repository) as registry:
        _clear_leftovers(repository, registry, unload)
        version = _choose_version(repository, registry, wanted)
        model = f"{PREFIX}{version}"
        folder = _workshop(repository) / model
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise RepositoryError(f"{folder} cannot be made: {error.strerror}.") from error
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try_lock(descriptor)  # nobody else can have it: it was made under the registry's lock
    draft = Draft(repository, version, model, folder)
    try:
        draft.contents.mkdir()
        yield draft
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def discard(repository: Path, model: str) -> None:
    """Remove a model's folder: out of the repository in one step, and then file by file."""
    folder = _workshop(repository) / f"{model}.removed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(exist_ok=True)
    with suppress(FileNotFoundError):
        (repository / model).rename(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _workshop(repository: Path) -> Path:
    """Beside the repository: Triton would take any folder inside it for a model."""
    return repository.with_name(f"{repository.name}.building")


def _clear_leftovers(repository: Path, registry: Registry, unload: Callable[[str], None]) -> None:
    workshop = _workshop(repository)
    for folder in workshop.iterdir() if workshop.is_dir() else ():
        if not _is_locked(folder):
            shutil.rmtree(folder, ignore_errors=True)
    for folder in repository.glob(f"{PREFIX}*"):
        is_ours = (folder / VERSION_FOLDER / SOURCE).exists() and folder.name not in registry.releases.values()
        if is_ours and not _is_locked(folder):
            unload(folder.name)
            discard(repository, folder.name)


def _is_locked(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)


def _choose_version(repository: Path, registry: Registry, wanted: str | None) -> str:
    in_work = {folder.name.removeprefix(PREFIX) for folder in _workshop(repository).glob(f"{PREFIX}*")}
    present = {folder.name.removeprefix(PREFIX) for folder in repository.glob(f"{PREFIX}*")}
    taken = {*registry.releases, *registry.removed, *in_work, *present}
    if wanted is None:
        return str(max((int(version) for version in taken if version.isdecimal()), default=0) + 1)
    if not VERSION_NAME.fullmatch(wanted):
        raise InvalidOptionError(
            f"The version {wanted!r} must be 1 to 32 letters, digits, dots, dashes or underscores."
        )
    if wanted in registry.removed:
        raise InvalidOptionError(f"The version {wanted!r} was removed; stored answers still name it: choose another.")
    if wanted in taken:
        raise InvalidOptionError(f"There is a release {wanted!r} already: choose another version.")
    return wanted
