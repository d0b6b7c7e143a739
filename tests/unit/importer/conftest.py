"""A model repository as shipped, less the graph, and a Triton that only remembers what it was told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import onnx
import pytest

from preprocess.tensor import Preprocessing
from tests.unit.importer.graphs import SIZE, Tiny
from training.importer.release import Candidate

ROOT = Path(__file__).parents[3]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "model_repository"
    ignored = shutil.ignore_patterns("*.onnx", "diagnose", "__pycache__")
    shutil.copytree(ROOT / "model_repository", folder, ignore=ignored)
    registry = {"active": "1", "previous": None, "releases": {"1": "classifier"}}
    (folder / "releases.json").write_text(json.dumps(registry))
    return folder


@pytest.fixture
def candidate(tmp_path: Path) -> Candidate:
    file, labels = tmp_path / "tiny.onnx", tmp_path / "labels.txt"
    onnx.save(Tiny(batch=1).build(), file)
    labels.write_text("Bean___rust\nBean___healthy\nBackground_without_leaves\n")
    return Candidate(file, labels, Preprocessing(SIZE))
