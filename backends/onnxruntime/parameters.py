"""Reads `parameters` of a `config.pbtxt`: Triton's compiled onnxruntime backend sets the keys, values and defaults.

What that backend ignores in silence is refused: a misspelt key shall not wait for production to be noticed.
"""

from __future__ import annotations

from typing import Any, TypeVar

Config = dict[str, Any]
"""Triton's model configuration as JSON."""

Choice = TypeVar("Choice")

FLAGS = {"0": False, "false": False, "1": True, "true": True}
DEVICE_ALLOCATOR = "session.use_device_allocator_for_initializers"
ARENA_SHRINKAGE = "memory.enable_memory_arena_shrinkage"
CUDA_PARAMETERS: dict[str, dict[str, str] | None] = {  # value → the CUDA provider's option; None: as it is
    "cudnn_conv_algo_search": {"0": "EXHAUSTIVE", "1": "HEURISTIC", "2": "DEFAULT"},
    "arena_extend_strategy": {"0": "kNextPowerOfTwo", "1": "kSameAsRequested"},
    "gpu_mem_limit": None,
    "do_copy_in_default_stream": None,
}
KNOWN = {
    "intra_op_thread_count",
    "inter_op_thread_count",
    "execution_mode",
    "enable_mem_arena",
    "enable_mem_pattern",
    "share_session_between_instances",
    DEVICE_ALLOCATOR,
    ARENA_SHRINKAGE,
    *CUDA_PARAMETERS,
}


class LoadError(Exception):
    """A configuration or a model file that this backend cannot serve."""


def read_parameters(config: Config) -> dict[str, str]:
    parameters: dict[str, str] = {key: value["string_value"] for key, value in config["parameters"].items()}
    unknown = sorted(parameters.keys() - KNOWN)
    if unknown:
        raise LoadError(f"Unknown parameters: {', '.join(unknown)}. Known are {', '.join(sorted(KNOWN))}.")
    return parameters


def choose(parameters: dict[str, str], key: str, choices: dict[str, Choice], default: str) -> Choice:
    value = parameters.get(key, default)
    if value not in choices:
        raise LoadError(f"The parameter '{key}' is '{value}'; it must be one of {', '.join(choices)}.")
    return choices[value]


def count(parameters: dict[str, str], key: str) -> int:
    value = parameters.get(key, "0")
    if not value.isdecimal():
        raise LoadError(f"The parameter '{key}' is '{value}'; it must be a whole number, 0 for the default.")
    return int(value)
