"""The Python-based onnxruntime backend reads the settings of `config.pbtxt` as Triton's compiled one does."""

from __future__ import annotations

import fcntl
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnxruntime as ort
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

BACKEND = Path(__file__).parents[3] / "backends" / "onnxruntime"


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports a module as the stub does: with the backend's folder on the path."""
    monkeypatch.syspath_prepend(BACKEND)
    before = set(sys.modules)

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load
    for name in ("engines", "graph", "parameters", "providers", "session", "signature"):
        if name not in before:
            sys.modules.pop(name, None)


def config(parameters: dict[str, str] | None = None, **settings: Any) -> dict[str, Any]:
    """As Triton hands it to a model."""
    return {
        "parameters": {key: {"string_value": value} for key, value in (parameters or {}).items()},
        "optimization": {},
        "instance_group": [{"count": 1}],
        **settings,
    }


@pytest.mark.parametrize(
    ("level", "expected"),
    [(-1, "ORT_ENABLE_BASIC"), (0, "ORT_ENABLE_ALL"), (1, "ORT_ENABLE_EXTENDED"), (2, "ORT_DISABLE_ALL")],
)
def test_the_graph_level_is_tritons(level: int, expected: str, backend: Any) -> None:
    options = backend("session").session_options(config(optimization={"graph": {"level": level}}))
    assert options.graph_optimization_level == getattr(ort.GraphOptimizationLevel, expected)


def test_all_optimisations_are_on_when_nothing_is_said(backend: Any) -> None:
    options = backend("session").session_options(config())
    assert options.graph_optimization_level == ort.GraphOptimizationLevel.ORT_ENABLE_ALL


def test_parameters_reach_the_session(backend: Any) -> None:
    options = backend("session").session_options(
        config(
            {
                "intra_op_thread_count": "3",
                "inter_op_thread_count": "2",
                "execution_mode": "1",
                "enable_mem_arena": "0",
                "enable_mem_pattern": "false",
                "session.use_device_allocator_for_initializers": "1",
            }
        )
    )
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 2)
    assert options.execution_mode == ort.ExecutionMode.ORT_PARALLEL
    assert not options.enable_cpu_mem_arena
    assert not options.enable_mem_pattern
    assert options.get_session_config_entry("session.use_device_allocator_for_initializers") == "1"


def test_shrinking_the_arena_is_an_option_of_every_run(backend: Any) -> None:
    key = "memory.enable_memory_arena_shrinkage"
    assert backend("session").run_options(config({key: "cpu:0"})).get_run_config_entry(key) == "cpu:0"


@pytest.mark.parametrize("instances", [1, 2, 1000])
def test_instances_share_the_cores_when_no_thread_count_is_given(instances: int, backend: Any) -> None:
    options = backend("session").session_options(config(instance_group=[{"count": instances}]))
    assert options.intra_op_num_threads == max(1, len(os.sched_getaffinity(0)) // instances)


def test_a_gpu_is_refused_when_onnxruntime_has_no_provider_for_it(backend: Any) -> None:
    accelerators = {"gpu_execution_accelerator": [{"name": "tensorrt"}]}
    providers = backend("providers")
    with pytest.raises(Exception, match="needs TensorrtExecutionProvider and CUDAExecutionProvider; onnxruntime has"):
        providers.execution_providers(config(optimization={"execution_accelerators": accelerators}), "GPU", "0")


def test_accelerators_for_the_gpu_do_not_concern_an_instance_on_the_cpu(backend: Any) -> None:
    accelerators = {"gpu_execution_accelerator": [{"name": "tensorrt"}]}
    providers = backend("providers")
    found = providers.execution_providers(config(optimization={"execution_accelerators": accelerators}), "CPU", "0")
    assert found == [("CPUExecutionProvider", {})]


def test_tensorrts_options_get_onnxruntimes_names(backend: Any) -> None:
    asked = {"precision_mode": "FP16", "max_workspace_size_bytes": "1024", "trt_engine_cache_enable": "1"}
    options = backend("providers").tensorrt_options(asked)
    assert options == {"trt_fp16_enable": "1", "trt_max_workspace_size": "1024", "trt_engine_cache_enable": "1"}


@pytest.mark.parametrize("wrong", [{"precision_mode": "FP8"}, {"workspace": "1"}])
def test_an_unknown_option_of_tensorrt_is_refused(wrong: dict[str, str], backend: Any) -> None:
    with pytest.raises(Exception, match=next(iter(wrong))):
        backend("providers").tensorrt_options(wrong)


def test_the_older_parameters_of_the_cuda_provider_are_translated(backend: Any) -> None:
    parameters = {"cudnn_conv_algo_search": "1", "gpu_mem_limit": "1024", "arena_extend_strategy": "1"}
    assert backend("providers").cuda_options(config(parameters)) == {
        "cudnn_conv_algo_search": "HEURISTIC",
        "gpu_mem_limit": "1024",
        "arena_extend_strategy": "kSameAsRequested",
    }


def test_while_one_instance_builds_engines_no_other_can(tmp_path: Path, backend: Any) -> None:
    """Locks of a file count for each opening of it, in one process as between two."""
    cache = tmp_path / "cache" / "tensorrt"  # nor need there be any of it before
    providers = [("TensorrtExecutionProvider", {"trt_engine_cache_path": str(cache)})]
    with backend("engines").built_by_one(providers), pytest.raises(BlockingIOError):
        take(cache / "build.lock")
    take(cache / "build.lock")


def test_without_a_cache_of_engines_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with backend("engines").built_by_one([("TensorrtExecutionProvider", {}), ("CPUExecutionProvider", {})]):
        assert not list(tmp_path.iterdir())


def take(lock: Path) -> None:
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
