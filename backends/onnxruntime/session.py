"""The onnxruntime session that a `config.pbtxt` asks for: model file, threads, graph optimisation, memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import onnxruntime as ort
from engines import built_by_one
from graph import readied
from parameters import ARENA_SHRINKAGE, DEVICE_ALLOCATOR, FLAGS, Config, LoadError, choose, count, read_parameters
from providers import execution_providers

if TYPE_CHECKING:
    from pathlib import Path

GRAPH_LEVELS = {  # optimization { graph { level } }: any other number means all optimisations
    -1: ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    1: ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    2: ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
EXECUTION_MODES = {"0": ort.ExecutionMode.ORT_SEQUENTIAL, "1": ort.ExecutionMode.ORT_PARALLEL}


def create_session(config: Config, version_folder: Path, kind: str, device: str) -> ort.InferenceSession:
    """Load a version's model file for one instance; `kind` and `device` as in `execution_providers`."""
    path = version_folder / (config["default_model_filename"] or "model.onnx")
    if path.is_dir():
        path = path / "model.onnx"
    if not path.is_file():
        raise LoadError(f"The model file '{path.name}' is not in the version folder '{version_folder}'.")
    options, providers = session_options(config), execution_providers(config, kind, device)
    if kind == "GPU":
        ort.preload_dlls()  # CUDA and cuDNN where they are wheels, whose folders the loader does not know
    try:
        # TensorRT folds padding itself, and names its engines by the file.
        model = path if kind == "GPU" else readied(path)
        with built_by_one(providers):
            session = ort.InferenceSession(model, options, providers=providers)
    except Exception as error:  # onnxruntime's exceptions have no base class of their own
        raise LoadError(f"onnxruntime {ort.__version__} cannot load '{path.name}': {error}") from error
    unused = {name for name, _ in providers} - set(session.get_providers())
    if unused:  # onnxruntime goes on without a provider whose libraries or device are missing
        raise LoadError(f"onnxruntime cannot start {', '.join(sorted(unused))}; its reason is in the log above.")
    return session


def session_options(config: Config) -> ort.SessionOptions:
    parameters = read_parameters(config)
    if choose(parameters, "share_session_between_instances", FLAGS, "0"):
        raise LoadError("Instances are processes here and cannot share_session_between_instances; use one instance.")
    options = ort.SessionOptions()
    level = config["optimization"].get("graph", {}).get("level", 0)
    options.graph_optimization_level = GRAPH_LEVELS.get(level, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
    options.execution_mode = choose(parameters, "execution_mode", EXECUTION_MODES, "0")
    options.intra_op_num_threads = count(parameters, "intra_op_thread_count") or _cores_per_instance(config)
    # Threads that wait by spinning take the cores from those that decode photos: a third of the throughput on 2 cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.inter_op_num_threads = count(parameters, "inter_op_thread_count")
    options.enable_cpu_mem_arena = choose(parameters, "enable_mem_arena", FLAGS, "1")
    options.enable_mem_pattern = choose(parameters, "enable_mem_pattern", FLAGS, "1")
    if DEVICE_ALLOCATOR in parameters:
        options.add_session_config_entry(DEVICE_ALLOCATOR, parameters[DEVICE_ALLOCATOR])
    for library in config.get("model_operations", {}).get("op_library_filename", []):
        options.register_custom_ops_library(library)
    return options


def run_options(config: Config) -> ort.RunOptions:
    options = ort.RunOptions()
    shrinkage = read_parameters(config).get(ARENA_SHRINKAGE)
    if shrinkage:
        options.add_run_config_entry(ARENA_SHRINKAGE, shrinkage)
    return options


def _cores_per_instance(config: Config) -> int:
    """Instances are processes: by onnxruntime's own default each would take every core and hold up the others."""
    instances: int = sum(group["count"] for group in config["instance_group"])
    return max(1, len(os.sched_getaffinity(0)) // instances)
