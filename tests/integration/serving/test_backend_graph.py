"""The Python-based onnxruntime backend takes away what keeps onnxruntime from folding padding, and nothing else."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

from tests.integration.serving import graphs

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
BACKEND = ROOT / "backends" / "onnxruntime"
SHIPPED = ROOT / "model_repository" / "classifier" / "1" / "model.onnx"


@pytest.fixture
def readied(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(BACKEND)
    had_it = "graph" in sys.modules
    yield importlib.import_module("graph").readied
    if not had_it:
        del sys.modules["graph"]


def padded(fill: str) -> bytes:
    """X [N, 1, 4, 4] → Y: padded by one, then convolved; `fill` names `Pad`'s third input."""
    constants = {
        "PADS": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "WEIGHTS": np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3),
        "ONE": np.array(1, dtype=np.float32),
    }
    nodes = [
        helper.make_node("Pad", ["X", "PADS", fill], ["PADDED"]),
        helper.make_node("Conv", ["PADDED", "WEIGHTS"], ["Y"]),
    ]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    shape = ("N", 1, 4, 4)
    return graphs.graph(nodes, [graphs.tensor("X", shape)], [graphs.tensor("Y", shape)], initializers)


def kinds(model: Path | bytes, folder: Path) -> list[str]:
    """The nodes that are left once onnxruntime has optimised."""
    options = ort.SessionOptions()
    options.log_severity_level = 3  # that the optimised file suits this machine only is known
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    ort.InferenceSession(model, options)
    return [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]


def test_padding_with_an_empty_fill_is_folded_into_the_convolution(tmp_path: Path, readied: Any) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(padded(""))
    assert "Pad" in kinds(path, tmp_path)
    assert "Pad" not in kinds(readied(path), tmp_path)


def test_a_fill_that_is_named_stays(tmp_path: Path, readied: Any) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(padded("ONE"))
    assert readied(path) == path


def test_a_graph_with_nothing_to_take_away_is_loaded_from_its_file(tmp_path: Path, readied: Any) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(graphs.twice_and_square())
    assert readied(path) == path


def test_a_graph_whose_weights_lie_in_other_files_is_loaded_from_its_file(tmp_path: Path, readied: Any) -> None:
    path = tmp_path / "model.onnx"
    model = onnx.load_model_from_string(padded(""))
    onnx.save_model(model, path, save_as_external_data=True, size_threshold=0)
    assert readied(path) == path


def test_the_shipped_model_gives_the_same_logits_bit_by_bit(tmp_path: Path, readied: Any) -> None:
    photos = np.random.default_rng(7).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    (as_it_is,) = ort.InferenceSession(SHIPPED).run(["LOGITS"], {"IMAGE": photos})
    (ready,) = ort.InferenceSession(readied(SHIPPED)).run(["LOGITS"], {"IMAGE": photos})
    np.testing.assert_array_equal(ready, as_it_is)
    assert "Pad" not in kinds(readied(SHIPPED), tmp_path)
