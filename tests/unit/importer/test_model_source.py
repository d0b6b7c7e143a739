"""Reading an ONNX file: what is refused, and in which words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from tests.unit.importer.graphs import Tiny
from training.importer.errors import InvalidModelError
from training.importer.source import MAX_MODEL_BYTES, MAX_OPSET, MIN_OPSET, read_model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    onnx.save(Tiny().build(), path)
    return path


def save_with_external_data(folder: Path, location: str = "model.onnx.data") -> Path:
    path = folder / "model.onnx"
    onnx.save(Tiny().build(), path, save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    if location != "model.onnx.data":
        model = onnx.load(path, load_external_data=False)
        for tensor in model.graph.initializer:
            next(entry for entry in tensor.external_data if entry.key == "location").value = location
        path.write_bytes(model.SerializeToString())
    return path


def refusal(path: Path, max_bytes: int = MAX_MODEL_BYTES) -> str:
    with pytest.raises(InvalidModelError) as caught:
        read_model(path, max_bytes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_sound_file_is_read(saved: Path) -> None:
    assert read_model(saved).graph.name == "tiny"


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    assert "nowhere.onnx cannot be read: No such file" in refusal(tmp_path / "nowhere.onnx")


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    assert "Is a directory" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a model at all", bytes(1000)])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert "no ONNX" in refusal(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_refused(saved: Path, share: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(len(content) * share)])
    assert refusal(saved)


def test_a_graph_that_breaks_onnx_rules_is_refused(saved: Path) -> None:
    model = Tiny().build()
    model.graph.node[1].input[0] = "nobody makes this"
    saved.write_bytes(model.SerializeToString())
    assert "does not pass the ONNX checker" in refusal(saved)


def test_a_file_over_the_limit_is_refused(saved: Path) -> None:
    assert "at most" in refusal(saved, max_bytes=saved.stat().st_size - 1)


def test_external_data_counts_towards_the_limit(tmp_path: Path) -> None:
    path = save_with_external_data(tmp_path)
    assert "with its external data" in refusal(path, max_bytes=path.stat().st_size + 1)


@pytest.mark.parametrize("opset", [MIN_OPSET - 1, MAX_OPSET + 1])
def test_an_opset_that_is_not_served_is_named(saved: Path, opset: int) -> None:
    model = Tiny().build()
    model.opset_import[0].version = opset
    saved.write_bytes(model.SerializeToString())
    assert f"uses opset {opset}; ONNX Runtime serves opsets {MIN_OPSET} to {MAX_OPSET}" in refusal(saved)


def test_the_highest_opset_is_the_installed_onnx_runtimes() -> None:
    def load(opset: int) -> None:
        node = helper.make_node("Relu", ["x"], ["y"])
        x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy")
        graph = helper.make_graph([node], "relu", [x], [y])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    load(MAX_OPSET)
    with pytest.raises(Exception, match="opset"):
        load(MAX_OPSET + 1)


def test_external_data_beside_the_model_are_taken_along(tmp_path: Path) -> None:
    model = read_model(save_with_external_data(tmp_path))
    (tmp_path / "model.onnx.data").unlink()
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    expected = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in Tiny().build().graph.initializer}
    assert weights.keys() == expected.keys()
    assert all(np.array_equal(weights[name], expected[name]) for name in weights)


def test_missing_external_data_are_named(tmp_path: Path) -> None:
    path = save_with_external_data(tmp_path)
    (tmp_path / "model.onnx.data").unlink()
    assert "'model.onnx.data', which is not a file in its folder" in refusal(path)


def test_external_data_that_are_too_short_are_refused(tmp_path: Path) -> None:
    path = save_with_external_data(tmp_path)
    (tmp_path / "model.onnx.data").write_bytes(b"short")
    assert "external data of" in refusal(path)


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "sub/../../secret", "..\\secret", "C:\\secret", ""])
def test_external_data_outside_the_models_folder_are_refused(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(100_000))
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    assert "must lie in its own folder" in refusal(save_with_external_data(folder, location))


def test_a_link_to_external_data_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path = save_with_external_data(folder)
    (folder / "model.onnx.data").rename(tmp_path / "secret")
    (folder / "model.onnx.data").symlink_to(tmp_path / "secret")
    assert "must lie in its own folder" in refusal(path)
