"""Small ONNX graphs for the tests: what they compute is plain from their results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS: tuple[int | str, ...] = ("N", 4)


def graph(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], initializers: Sequence[Any] = (), opset: int = 17
) -> bytes:
    content = helper.make_graph(nodes, "graph", inputs, outputs, list(initializers))
    model = helper.make_model(content, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    encoded: bytes = model.SerializeToString()
    return encoded


def tensor(name: str, shape: Sequence[int | str], data_type: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, data_type, list(shape))


def twice_and_square(shape: Sequence[int | str] = ROWS, opset: int = 17) -> bytes:
    """X → TWICE = X + X, SQUARE = X · X."""
    nodes = [helper.make_node("Add", ["X", "X"], ["TWICE"]), helper.make_node("Mul", ["X", "X"], ["SQUARE"])]
    return graph(nodes, [tensor("X", shape)], [tensor("TWICE", shape), tensor("SQUARE", shape)], opset=opset)


def total() -> bytes:
    """X and Z → TWICE = X + Z: a graph with two inputs."""
    nodes = [helper.make_node("Add", ["X", "Z"], ["TWICE"])]
    return graph(nodes, [tensor("X", ROWS), tensor("Z", ROWS)], [tensor("TWICE", ROWS)])


def look_up(first: int = 0) -> bytes:
    """INDEX [N, 1] → VALUE [N, 1] = 10, 20, 30 for `first` and the two indices after it; any other is an error."""
    table = numpy_helper.from_array(np.array([10, 20, 30], dtype=np.float32), "TABLE")
    nodes = [
        helper.make_node("Sub", ["INDEX", "FIRST"], ["OFFSET"]),
        helper.make_node("Gather", ["TABLE", "OFFSET"], ["VALUE"]),
    ]
    initializers = [table, numpy_helper.from_array(np.array(first), "FIRST")]
    return graph(nodes, [tensor("INDEX", ("N", 1), TensorProto.INT64)], [tensor("VALUE", ("N", 1))], initializers)


def brightness(size: int, labels: int) -> bytes:
    """A classifier: IMAGE uint8 [N, size, size, 3] → LOGITS [N, labels]; the brighter, the likelier the last label."""
    nodes = [
        helper.make_node("Cast", ["IMAGE"], ["PIXELS"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["PIXELS"], ["MEAN"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Sub", ["MEAN", "GREY"], ["BRIGHTNESS"]),
        helper.make_node("Unsqueeze", ["BRIGHTNESS", "AXIS"], ["COLUMN"]),
        helper.make_node("Mul", ["COLUMN", "SLOPES"], ["LOGITS"]),
    ]
    slopes = np.linspace(-0.1, 0.1, labels, dtype=np.float32)[None]
    constants = {"GREY": np.array(128, dtype=np.float32), "AXIS": np.array([1]), "SLOPES": slopes}
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    inputs, outputs = [tensor("IMAGE", ("N", size, size, 3), TensorProto.UINT8)], [tensor("LOGITS", ("N", labels))]
    return graph(nodes, inputs, outputs, initializers)
