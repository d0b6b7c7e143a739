"""The working copy of the model repository: shipped models as shipped; added releases and the traffic switch stay."""

from __future__ import annotations

import fcntl
import json
import shutil
from typing import TYPE_CHECKING, Any

from stack import trees
from stack.atomic import write_atomically
from stack.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path

REGISTRY, LOCK = "releases.json", "releases.lock"
READABLE = 0o644


def synchronise(shipped: Path, working: Path) -> list[str]:
    """Bring every shipped model in `working` to what `shipped` holds; returns the names of those replaced.

    Call it while no server uses `working`. Models that are not shipped stay, and so does `releases.json`, which gains
    the shipped releases that it lacks.
    """
    working.mkdir(parents=True, exist_ok=True)
    replaced = [model.name for model in _models(shipped) if _replace(model, working / model.name)]
    _merge_registry(shipped / REGISTRY, working / REGISTRY)
    return replaced


def active_model(repository: Path) -> tuple[str, str]:
    """The active release's version and its Triton model's name; raises StackError on a registry that is damaged."""
    registry = read_registry(repository / REGISTRY)
    version = registry["active"]
    return version, registry["releases"][version]


def read_registry(path: Path) -> dict[str, Any]:
    """`releases.json`, checked: the active release is one of those it lists. Raises StackError."""
    try:
        registry = json.loads(path.read_bytes())
        if isinstance(registry["releases"][registry["active"]], str):
            return dict(registry)
    except FileNotFoundError as error:
        raise StackError(f"{path} is not there; `frond up` makes it.") from error
    except (ValueError, KeyError, TypeError):
        pass
    raise StackError(f"{path} is damaged: restore it, or remove it while Frond is stopped to begin anew.")


def _models(repository: Path) -> list[Path]:
    return sorted(entry for entry in repository.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _replace(shipped: Path, working: Path) -> bool:
    """Swap in a fresh copy unless the content is equal already; its neighbours in the state folder hold the halves."""
    if working.is_dir() and trees.digest(shipped) == trees.digest(working):
        return False
    incoming = working.parents[1] / f".{working.name}.incoming"
    shutil.rmtree(incoming, ignore_errors=True)
    trees.copy(shipped, incoming)
    shutil.rmtree(working, ignore_errors=True)
    incoming.rename(working)
    return True


def _merge_registry(shipped: Path, working: Path) -> None:
    """At first a copy of the shipped one; later only releases that are new in this version of Frond are added."""
    if not working.exists():
        write_atomically(working, shipped.read_bytes(), READABLE)
        return
    with (working.parent / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `frond model` writes under the same lock
        registry = read_registry(working)
        known = {*registry["releases"], *registry.get("removed", ())}
        new = {version: model for version, model in read_registry(shipped)["releases"].items() if version not in known}
        if new:
            merged = {**registry, "releases": {**new, **registry["releases"]}}
            write_atomically(working, json.dumps(merged, indent=2).encode(), READABLE)
