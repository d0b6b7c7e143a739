"""Which releases there are and which is active: `releases.json`, re-read when it changes, and the release folders."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from preprocess.release import Release, ReleaseError, read_release

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VERSION_FOLDER = "1"  # each release is a Triton model of its own with this one version
CARD = "card.json"


@dataclass(frozen=True, slots=True)
class Served:
    """A release, the Triton model that serves it, and whether there is a card that says how well it is calibrated."""

    model: str
    release: Release
    is_measured: bool


class Registry:
    """The releases of one model repository. A `releases.json` that cannot be used leaves the last good one in force."""

    def __init__(self, repository: Path, log_error: Callable[[str], None]) -> None:
        """Raises `ReleaseError` when there is no good file to begin with."""
        self._repository = repository
        self._log_error = log_error
        self._seen = self._state_of_file()
        self._active, self._models = self._read()
        self._served: dict[str, Served] = {}

    def refresh(self) -> None:
        """Cheap when nothing changed: one stat. A change also drops what was read from the folders."""
        state = self._state_of_file()
        if state == self._seen:
            return
        self._seen = state
        try:
            self._active, self._models = self._read()
        except ReleaseError as error:
            self._log_error(f"{error}; the releases known before stay in force")
        else:
            self._served = {}

    def find(self, version: str | None) -> Served:
        """The release of that version, or the active one. Raises `KeyError`: unknown, or `ReleaseError`: broken."""
        version = self._active if version is None else version
        if version not in self._served:
            self._served[version] = self._load(version, self._models[version])
        return self._served[version]

    def _load(self, version: str, model: str) -> Served:
        folder = self._repository / model / VERSION_FOLDER
        release = read_release(folder)
        if release.version != version:
            raise ReleaseError(f"{model}: its calibration is of release {release.version!r}, not {version!r}")
        is_measured = release.calibration.calibration_error is not None and (folder / CARD).is_file()
        return Served(model, release, is_measured)

    def _state_of_file(self) -> tuple[int, ...] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    @property
    def _path(self) -> Path:
        return self._repository / "releases.json"

    def _read(self) -> tuple[str, dict[str, str]]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            active, models = content["active"], content["releases"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ReleaseError(f"{self._path} cannot be used: {error!r}") from error
        names = [*models.items()] if isinstance(models, dict) else []
        if active not in dict(names) or not all(isinstance(name, str) for pair in names for name in pair):
            raise ReleaseError(f"{self._path} cannot be used: its active release must be one of its releases")
        return active, models
