"""The networks to measure, as releases of a model repository of their own; made as `frond model add` makes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import onnx

from preprocess.release import Release, read_release
from preprocess.tensor import Preprocessing
from stack import trees
from stack.paths import ROOT
from training.importer import lifecycle
from training.importer.release import Candidate
from training.importer.repository import PREFIX, SHIPPED, VERSION_FOLDER
from training.reference_networks import CLASSES, NETWORKS

if TYPE_CHECKING:
    from collections.abc import Sequence

LITE0 = "efficientnet-lite0"
SIZES = {LITE0: 224, "resnet-50": 224, "efficientnet-b4": 380}
SHIPPED_RELEASE = "1"


@dataclass(frozen=True, slots=True)
class Network:
    """A release in the repository that is served; `model` is its Triton model, `version` what `diagnose` calls it."""

    name: str
    model: str
    version: str
    folder: Path

    @property
    def graph(self) -> Path:
        return self.folder / "model.onnx"

    def release(self) -> Release:
        return read_release(self.folder)


def make_repository(folder: Path, names: Sequence[str]) -> list[Network]:
    """Copy the shipped repository into `folder` and add the reference networks asked for, with random weights."""
    trees.copy(ROOT / "model_repository", folder)
    labels = folder.parent / "labels.txt"
    labels.write_text("".join(f"class {index}\n" for index in range(CLASSES)))
    return [_shipped(folder) if name == LITE0 else _added(folder, name, labels) for name in names]


def _shipped(repository: Path) -> Network:
    return Network(LITE0, SHIPPED, SHIPPED_RELEASE, repository / SHIPPED / VERSION_FOLDER)


def _added(repository: Path, name: str, labels: Path) -> Network:
    file = repository.parent / f"{name}.onnx"
    onnx.save(NETWORKS[name](CLASSES, 0), file)
    lifecycle.add(repository, Candidate(file, labels, Preprocessing(SIZES[name])), version=name)
    file.unlink()
    return Network(name, f"{PREFIX}{name}", name, repository / f"{PREFIX}{name}" / VERSION_FOLDER)
