"""A release's Triton configuration, derived from the shipped classifier's: the settings stand in one place."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from training.importer.errors import RepositoryError
from training.importer.wrapping import INPUT

CONFIGS = ("config.pbtxt", "configs/gpu.pbtxt")
PROFILE = re.compile(rf"\b{INPUT}:(\d+)x\d+x\d+x3\b")  # a TensorRT profile: IMAGE:<batch>x<height>x<width>x3
ENGINE_PREFIX = "trt_engine_cache_prefix"
MEMORY_LIMIT = "gpu_mem_limit"
HEADER = (
    "# Derived from the shipped classifier's configuration by `frond model add`. Only the dimensions differ, and on a\n"
    "# GPU what follows from them and from the graph: the memory limit and the name of TensorRT's engine.\n"
)


def derive_config(shipped: str, size: int, classes: int, graph: bytes) -> str:
    """The shipped configuration (text format) for images [size, size, 3] and logits [classes]; `graph`: model.onnx."""
    try:
        config = text_format.Parse(shipped, ModelConfig())
    except text_format.ParseError as error:
        raise RepositoryError(f"The shipped classifier's configuration cannot be read: {error}.") from error
    _raise_memory_limit(config, size, graph)
    image = [size, size, 3]
    config.input[0].dims[:] = image
    config.output[0].dims[:] = [classes]
    for warmup in config.model_warmup:
        warmup.inputs[INPUT].dims[:] = image
    for accelerator in config.optimization.execution_accelerators.gpu_execution_accelerator:
        for key, value in list(accelerator.parameters.items()):
            accelerator.parameters[key] = PROFILE.sub(rf"{INPUT}:\1x{size}x{size}x3", value)
        if ENGINE_PREFIX in accelerator.parameters:
            accelerator.parameters[ENGINE_PREFIX] = engine_prefix(graph)
    return f"{HEADER}{text_format.MessageToString(config)}"


def engine_prefix(graph: bytes) -> str:
    """Another graph, another engine: what TensorRT built is found again by this, and not by the weights."""
    return f"frond-{hashlib.sha256(graph).hexdigest()[:16]}"


def _raise_memory_limit(config: Any, size: int, graph: bytes) -> None:
    """Activations grow with the area of the image; the weights come on top, and never is it less than shipped."""
    if MEMORY_LIMIT in config.parameters:
        shipped, shipped_size = int(config.parameters[MEMORY_LIMIT].string_value), int(config.input[0].dims[0])
        scaled = max(shipped, shipped * size**2 // shipped_size**2)
        config.parameters[MEMORY_LIMIT].string_value = str(scaled + len(graph))
