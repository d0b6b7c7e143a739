"""A release's Triton configuration, derived from the shipped classifier's: the settings stand in one place."""

from __future__ import annotations

import re

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from training.importer.errors import RepositoryError
from training.importer.wrapping import INPUT

CONFIGS = ("config.pbtxt", "configs/gpu.pbtxt")
PROFILE = re.compile(rf"\b{INPUT}:(\d+)x\d+x\d+x3\b")  # a TensorRT profile: IMAGE:<batch>x<height>x<width>x3
HEADER = "# Derived from the shipped classifier's configuration by `frond model add`; only the dimensions differ.\n"


def derive_config(shipped: str, size: int, classes: int) -> str:
    """The shipped configuration (text format) for images [size, size, 3] and logits [classes]."""
    try:
        config = text_format.Parse(shipped, ModelConfig())
    except text_format.ParseError as error:
        raise RepositoryError(f"The shipped classifier's configuration cannot be read: {error}.") from error
    image = [size, size, 3]
    config.input[0].dims[:] = image
    config.output[0].dims[:] = [classes]
    for warmup in config.model_warmup:
        warmup.inputs[INPUT].dims[:] = image
    for accelerator in config.optimization.execution_accelerators.gpu_execution_accelerator:
        for key, value in list(accelerator.parameters.items()):
            accelerator.parameters[key] = PROFILE.sub(rf"{INPUT}:\1x{size}x{size}x3", value)
    return f"{HEADER}{text_format.MessageToString(config)}"
