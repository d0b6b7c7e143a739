"""Does the graph take and give what `config.pbtxt` says? By the rules of Triton's compiled onnxruntime backend."""

from __future__ import annotations

from typing import Any, Protocol

from parameters import Config, LoadError

DATA_TYPES = {  # of onnxruntime → of Triton
    "tensor(bool)": "TYPE_BOOL",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(uint16)": "TYPE_UINT16",
    "tensor(uint32)": "TYPE_UINT32",
    "tensor(uint64)": "TYPE_UINT64",
    "tensor(int8)": "TYPE_INT8",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
}
UNSUPPORTED = ("sequence_batching", "batch_input", "batch_output")
UNSUPPORTED_OF_TENSORS = ("allow_ragged_batch", "optional", "is_shape_tensor", "is_non_linear_format_io")


class GraphTensor(Protocol):
    """An input or output of a graph, as onnxruntime describes it."""

    name: str
    type: str  # "tensor(uint8)"
    shape: list[int | str | None]  # a name or None stands for a dynamic dimension


def check_signature(config: Config, inputs: list[GraphTensor], outputs: list[GraphTensor]) -> None:
    """Raise a `LoadError` that says what was expected and what was found."""
    _refuse_unsupported(config)
    for role, tensors in (("input", inputs), ("output", outputs)):
        graph = {tensor.name: tensor for tensor in tensors}
        for declared in config[role]:
            name = declared["name"]
            if name not in graph:
                raise LoadError(f"The graph has no {role} '{name}'; it has {', '.join(graph)}.")
            _check_data_type(f"{role} '{name}'", declared, graph[name])
            _check_shape(f"{role} '{name}'", declared, graph[name], config["max_batch_size"], exactly=role == "output")
    undeclared = {tensor.name for tensor in inputs} - {declared["name"] for declared in config["input"]}
    if undeclared:
        raise LoadError(
            f"The graph needs inputs that the configuration does not name: {', '.join(sorted(undeclared))}."
        )


def _refuse_unsupported(config: Config) -> None:
    refused = [key for key in UNSUPPORTED if config.get(key)]
    if config.get("model_transaction_policy", {}).get("decoupled"):
        refused.append("model_transaction_policy.decoupled")
    refused += [
        f"{key} of '{tensor['name']}'"
        for tensor in config["input"] + config["output"]
        for key in UNSUPPORTED_OF_TENSORS
        if tensor.get(key)
    ]
    if refused:
        raise LoadError(f"This backend does not implement {', '.join(refused)}.")


def _check_data_type(which: str, declared: dict[str, Any], found: GraphTensor) -> None:
    expected, actual = declared["data_type"], DATA_TYPES.get(found.type, found.type)
    if expected not in DATA_TYPES.values():
        raise LoadError(f"The {which} is {expected}, which this backend does not support.")
    if actual != expected:
        raise LoadError(f"The {which} is {expected} in the configuration and {actual} in the graph.")


def _check_shape(
    which: str, declared: dict[str, Any], found: GraphTensor, max_batch_size: int, *, exactly: bool
) -> None:
    expected = [int(size) for size in declared.get("reshape", {}).get("shape", declared["dims"])]
    shape = [size if isinstance(size, int) else -1 for size in found.shape]
    if max_batch_size > 0:
        if shape[:1] != [-1]:
            raise LoadError(
                f"The {which} has the shape {shape} in the graph; with max_batch_size {max_batch_size} its first "
                "dimension must be dynamic."
            )
        expected = [-1, *expected]
    if len(shape) != len(expected) or any(
        size != wanted and (exactly or size != -1) for size, wanted in zip(shape, expected, strict=True)
    ):
        batch = ", the batch included" if max_batch_size > 0 else ""
        raise LoadError(f"The {which} has the shape {expected} in the configuration{batch}, and {shape} in the graph.")
