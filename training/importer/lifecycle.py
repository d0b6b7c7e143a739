"""What can be done with releases: add, list, promote, roll back, remove; a death between any two steps does no harm."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from preprocess.release import ReleaseError, read_release
from training.importer import registry as registry_file
from training.importer.errors import InvalidOptionError, RepositoryError, ServerError, UnknownReleaseError
from training.importer.release import build
from training.importer.repository import SHIPPED, SOURCE, VERSION_FOLDER, discard, drafting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from preprocess.release import Release
    from training.importer.registry import Registry
    from training.importer.release import Candidate
    from training.importer.repository import Draft
    from training.importer.server import Server


@dataclass(frozen=True, slots=True)
class Listed:
    """One release as `list` shows it: what its folder says, or what is wrong with that.

    `source`: the file it was made from; None for a shipped one. `is_ready`: None while Triton is not running.
    """

    version: str
    model: str
    source: str | None
    release: Release | None
    problem: str | None
    role: Literal["active", "previous"] | None
    is_ready: bool | None


def add(
    repository: Path,
    candidate: Candidate,
    *,
    version: str | None = None,
    calibrate: Callable[[Path], None] | None = None,
    server: Server | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> str:
    """Build, calibrate, publish, load and register a release; returns its version. Traffic is not switched.

    `calibrate` gets the release's version folder. Without a `server` the release is loaded at Triton's next start.
    """
    unload = server.unload if server else lambda _: None
    with drafting(repository, version, unload) as draft:
        report(f"Checking {candidate.file.name} …")
        for change in build(candidate, draft):
            report(f"  {change}")
        if calibrate:
            report("Calibrating …")
            calibrate(draft.contents)
        read_release(draft.contents)
        draft.publish()
        try:
            if server:
                report(f"Loading {draft.model} …")
                server.load(draft.model)
            _register(draft)
        except BaseException:  # Ctrl-C as well: nothing unregistered may stay
            _take_back(draft, server)
            raise
    return draft.version


def list_releases(repository: Path, server: Server | None = None) -> list[Listed]:
    """Every registered release, in the order they were added."""
    registry = registry_file.read(repository)
    return [_listed(repository, registry, version, server) for version in registry.releases]


def promote(repository: Path, version: str, server: Server) -> bool:
    """Send traffic to a release once it has answered a trial; False when it has it already.

    Requests in flight end where they began: `diagnose` reads the registry between batches, and both stay loaded.
    """
    registry = registry_file.read(repository)
    model = registry.model(version)
    if version == registry.active:
        return False
    _try(server, model, version)
    with registry_file.locked(repository) as registry:
        registry.model(version)  # somebody may have removed it meanwhile
        if version != registry.active:
            registry_file.replace(repository, replace(registry, active=version, previous=registry.active))
    return True


def roll_back(repository: Path, server: Server | None) -> str:
    """Send traffic to the release that had it before; returns its version.

    Possible without a running Triton, where nothing can be tried: it has served before, and what is active may be what
    keeps Triton from starting. Afterwards there is no previous release, so that doing it twice does not undo it.
    """
    version = _previous(registry_file.read(repository))
    if server:
        _try(server, registry_file.read(repository).model(version), version)
    with registry_file.locked(repository) as registry:
        if registry.previous != version:
            raise RepositoryError("Another command switched releases meanwhile; see `frond model list`.")
        registry_file.replace(repository, replace(registry, active=version, previous=None))
    return version


def remove(repository: Path, version: str, server: Server | None) -> None:
    """Forget a release and delete its folder; not the active one, the previous one, or a shipped one."""
    with registry_file.locked(repository) as registry:
        model = registry.model(version)
        if version in (registry.active, registry.previous):
            role = "active" if version == registry.active else "what a rollback goes back to"
            raise InvalidOptionError(f"Release {version} is {role}: it cannot be removed.")
        if model == SHIPPED:
            raise InvalidOptionError(f"Release {version} is shipped with Frond: it cannot be removed.")
        rest = {name: other for name, other in registry.releases.items() if name != version}
        registry_file.replace(repository, replace(registry, releases=rest, removed=(*registry.removed, version)))
    if server:
        server.unload(model)
    discard(repository, model)


def _register(draft: Draft) -> None:
    with registry_file.locked(draft.repository) as registry:
        releases = {**registry.releases, draft.version: draft.model}
        registry_file.replace(draft.repository, replace(registry, releases=releases))


def _take_back(draft: Draft, server: Server | None) -> None:
    if draft.version in registry_file.read(draft.repository).releases:
        return  # it was the very last step that was disturbed
    if server:
        with suppress(ServerError):  # the error that led here says more
            server.unload(draft.model)
    draft.withdraw()


def _try(server: Server, model: str, version: str) -> None:
    if not server.is_ready(model):
        server.load(model)
    server.try_diagnosis(version)


def _previous(registry: Registry) -> str:
    if registry.previous is None:
        raise UnknownReleaseError("There is no previous release to go back to; `frond model promote` names one.")
    return registry.previous


def _source(path: Path) -> str | None:
    """The file that a release was made from; None for a shipped one. Raises what damaged JSON does."""
    return str(json.loads(path.read_bytes())["file"]) if path.exists() else None


def _listed(repository: Path, registry: Registry, version: str, server: Server | None) -> Listed:
    model = registry.releases[version]
    folder = repository / model / VERSION_FOLDER
    release, problem = None, None
    try:
        release = read_release(folder)
    except ReleaseError as error:
        problem = str(error)
    try:
        source = _source(folder / SOURCE)
    except (ValueError, TypeError, KeyError, RecursionError):
        source, problem = None, problem or f"{SOURCE} is damaged"
    role: Literal["active", "previous"] | None = None
    if version in (registry.active, registry.previous):
        role = "active" if version == registry.active else "previous"
    return Listed(version, model, source, release, problem, role, server.is_ready(model) if server else None)
