"""What a release's configuration for the GPU takes from its own graph, beside the dimensions."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from training.importer.config import derive_config, engine_prefix
from training.importer.stamp import stamp

SHIPPED = Path(__file__).parents[3] / "model_repository" / "classifier"
GIB = 2**30


def derived(size: int = 224, graph: bytes = b"graph") -> Any:
    shipped = (SHIPPED / "configs" / "gpu.pbtxt").read_text()
    return text_format.Parse(derive_config(shipped, size, 29, graph), ModelConfig())


def memory_limit(config: Any) -> int:
    return int(config.parameters["gpu_mem_limit"].string_value)


def engine(config: Any) -> str:
    (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
    return str(accelerator.parameters["trt_engine_cache_prefix"])


def test_two_trainings_of_one_architecture_have_engines_of_their_own() -> None:
    assert engine(derived(graph=b"old weights")) != engine(derived(graph=b"new weights"))
    assert engine(derived(graph=b"graph")) == engine_prefix(b"graph")


@pytest.mark.parametrize(("size", "gib"), [(224, 2), (448, 8), (96, 2)])
def test_the_memory_limit_grows_with_the_area_of_the_image_and_never_shrinks(size: int, gib: int) -> None:
    graph = b"weights"
    assert memory_limit(derived(size, graph)) == gib * GIB + len(graph)


def test_stamping_names_the_engine_and_leaves_every_other_line(tmp_path: Path) -> None:
    model = tmp_path / "classifier"
    shutil.copytree(SHIPPED / "configs", model / "configs")
    (model / "1").mkdir()
    (model / "1" / "model.onnx").write_bytes(b"trained again")
    stamp(model)
    before = (SHIPPED / "configs" / "gpu.pbtxt").read_text().splitlines()
    after = (model / "configs" / "gpu.pbtxt").read_text().splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 1
    assert engine_prefix(b"trained again") in changed[0]


def test_a_configuration_without_engines_cannot_be_stamped(tmp_path: Path) -> None:
    model = tmp_path / "classifier"
    (model / "configs").mkdir(parents=True)
    (model / "1").mkdir()
    (model / "1" / "model.onnx").write_bytes(b"graph")
    (model / "configs" / "gpu.pbtxt").write_text('backend: "onnxruntime"')
    with pytest.raises(ValueError, match="0 times; expected once"):
        stamp(model)
