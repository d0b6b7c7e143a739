"""`releases.json` of a model repository: which releases there are, which one answers, which one did before.

`diagnose` reads the same file at every batch, so it is only ever replaced as a whole, by one writer at a time.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from training.atomic import replace_text
from training.importer.errors import RepositoryError, UnknownReleaseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

REGISTRY, LOCK = "releases.json", "releases.lock"
WAIT_SECONDS = 10.0  # the lock is held for a read and a replacement, never while a model is built, loaded or tried


@dataclass(frozen=True, slots=True)
class Registry:
    """`releases`: version → Triton model. `removed`: versions that were given once and never are again, since stored
    answers name them."""

    active: str
    previous: str | None
    releases: Mapping[str, str]
    removed: tuple[str, ...] = field(default=())

    def model(self, version: str) -> str:
        """The Triton model of a version; raises `UnknownReleaseError`."""
        if version not in self.releases:
            known = ", ".join(self.releases)
            raise UnknownReleaseError(f"There is no release {version!r}; there are {known} (see `frond model list`).")
        return self.releases[version]


def read(repository: Path) -> Registry:
    """Raises `RepositoryError` for a registry that is missing or damaged."""
    path = repository / REGISTRY
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RepositoryError(f"{repository} is no model repository: {REGISTRY}: {error.strerror}.") from error
    except ValueError as error:
        raise RepositoryError(f"{path} is damaged: {error}.") from error
    return _checked(path, found)


@contextmanager
def locked(repository: Path, wait_seconds: float = WAIT_SECONDS) -> Iterator[Registry]:
    """The registry, while no other command can replace it. The kernel frees the lock of a process that dies."""
    deadline = time.monotonic() + wait_seconds
    try:
        descriptor = os.open(repository / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RepositoryError(f"{repository} cannot be written: {error.strerror}.") from error
    try:
        while not try_lock(descriptor):
            if time.monotonic() > deadline:
                raise RepositoryError(f"Another `frond model` command holds {repository / LOCK}; try again.")
            time.sleep(0.05)
        yield read(repository)
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Take the lock of an open file or folder, unless another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def replace(repository: Path, registry: Registry) -> None:
    """Put a registry in the place of the old one. Only under `locked`."""
    replace_text(repository / REGISTRY, json.dumps(asdict(registry), indent=1) + "\n")


def _checked(path: Path, found: Any) -> Registry:
    releases = found.get("releases") if isinstance(found, dict) else None
    if not isinstance(releases, dict) or not all(isinstance(model, str) for model in releases.values()):
        raise RepositoryError(f"{path} is damaged: it has no releases.")
    active, previous, removed = found.get("active"), found.get("previous"), found.get("removed", [])
    if active not in releases or (previous is not None and previous not in releases) or not isinstance(removed, list):
        raise RepositoryError(f"{path} is damaged: active {active!r} or previous {previous!r} is no release of it.")
    return Registry(active, previous, releases, tuple(removed))
