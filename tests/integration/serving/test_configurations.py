"""Every `config.pbtxt` that is shipped can be read by Triton, and the CPU's and the GPU's have one interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from training.importer.config import engine_prefix

REPOSITORY = Path(__file__).parents[3] / "model_repository"
CONFIGURATIONS = sorted(path.relative_to(REPOSITORY) for path in REPOSITORY.rglob("*.pbtxt"))


def read(path: Path | str) -> Any:
    """Strictly: a field that is unknown or has another type is an error."""
    return text_format.Parse((REPOSITORY / path).read_text(), ModelConfig())


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=str)
def test_it_is_a_model_configuration(path: Path) -> None:
    assert read(path).backend in {"python", "onnxruntime"}


@pytest.mark.parametrize("model", ["classifier", "diagnose"])
def test_on_the_gpu_a_model_has_the_interface_that_it_has_on_the_cpu(model: str) -> None:
    cpu, gpu = read(f"{model}/config.pbtxt"), read(f"{model}/configs/gpu.pbtxt")
    assert (list(gpu.input), list(gpu.output)) == (list(cpu.input), list(cpu.output))
    assert (gpu.backend, gpu.max_batch_size) == (cpu.backend, cpu.max_batch_size)


@pytest.mark.parametrize("settings", ["config.pbtxt", "configs/gpu.pbtxt"])
def test_a_full_batch_of_diagnose_fits_into_one_call_of_the_classifier(settings: str) -> None:
    photos_per_request = 8
    assert (
        read(f"diagnose/{settings}").max_batch_size * photos_per_request
        == read(f"classifier/{settings}").max_batch_size
    )


def test_the_classifier_runs_on_the_gpu_in_half_precision_with_engines_kept() -> None:
    configuration = read("classifier/configs/gpu.pbtxt")
    (group,) = configuration.instance_group
    tensorrt = configuration.optimization.execution_accelerators.gpu_execution_accelerator[0]
    assert (group.kind, tensorrt.name) == (type(group).KIND_GPU, "tensorrt")
    assert tensorrt.parameters["precision_mode"] == "FP16"
    assert tensorrt.parameters["trt_engine_cache_enable"] == "1"


def test_the_gpu_memory_limit_stands_where_the_compiled_backend_keeps_it() -> None:
    """Given as an option of the accelerator "cuda" alone, that backend overwrites it with no limit."""
    limit = read("classifier/configs/gpu.pbtxt").parameters["gpu_mem_limit"].string_value
    assert 0 < int(limit) < 2**40


def test_the_gpu_memory_grows_by_what_is_asked_for_so_that_the_limit_says_what_fits() -> None:
    same_as_requested = "1"
    parameters = read("classifier/configs/gpu.pbtxt").parameters
    assert parameters["arena_extend_strategy"].string_value == same_as_requested


def test_the_engine_is_named_after_the_shipped_graph() -> None:
    """Where this fails the graph is a new one: python -m training.importer.stamp model_repository/classifier."""
    accelerators = read("classifier/configs/gpu.pbtxt").optimization.execution_accelerators
    graph = (REPOSITORY / "classifier" / "1" / "model.onnx").read_bytes()
    prefix = accelerators.gpu_execution_accelerator[0].parameters["trt_engine_cache_prefix"]
    assert prefix == engine_prefix(graph)
