"""Small ONNX classifiers as exporters write them, each with one thing about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZE, CLASSES = 32, 3


@dataclass(frozen=True)
class Tiny:
    """Two convolutions, pooling and a linear layer. `flatten` and `ending` are the operators in those places."""

    batch: int | str = "batch"
    shape: Sequence[int | str] | None = None  # without the batch
    layout: str = "NCHW"
    element_type: int = TensorProto.FLOAT
    flatten: str = "Flatten"
    ending: Sequence[str] = ()
    opset: int = 17
    ir_version: int = 8
    input_name: str = "input"
    output_name: str = "output"

    def build(self) -> onnx.ModelProto:
        nodes = [*self._entrance(), *self._body(), *self._exit()]
        sides = self.shape or ((3, SIZE, SIZE) if self.layout == "NCHW" else (SIZE, SIZE, 3))
        image = helper.make_tensor_value_info(self.input_name, self.element_type, [self.batch, *sides])
        floats = TensorProto.FLOAT if self.element_type == TensorProto.UINT8 else self.element_type
        logits = helper.make_tensor_value_info(self.output_name, floats, [self.batch, CLASSES])
        weights = self._weights(floats)
        listed = [image, *(_declared(weight) for weight in weights if self.ir_version < 4)]
        graph = helper.make_graph(nodes, "tiny", listed, [logits], weights)
        opset = helper.make_opsetid("", self.opset)
        return helper.make_model(graph, opset_imports=[opset], ir_version=self.ir_version)

    def _entrance(self) -> list[onnx.NodeProto]:
        nodes, last = [], self.input_name
        if self.element_type == TensorProto.UINT8:
            nodes.append(helper.make_node("Cast", [last], ["floats"], to=TensorProto.FLOAT))
            last = "floats"
        if self.layout == "NHWC":
            nodes.append(helper.make_node("Transpose", [last], ["channels_first"], perm=[0, 3, 1, 2]))
            last = "channels_first"
        return [*nodes, helper.make_node("Identity", [last], ["image"])]

    def _body(self) -> list[onnx.NodeProto]:
        flatten = ["pooled"] if self.flatten == "Flatten" else ["pooled", "flat_shape"]
        return [
            helper.make_node("Conv", ["image", "first"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("Conv", ["b", "second"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["d"]),
            helper.make_node("GlobalAveragePool", ["d"], ["pooled"]),
            helper.make_node(self.flatten, flatten, ["flat"]),
        ]

    def _exit(self) -> list[onnx.NodeProto]:
        names = [f"exit_{index}" for index in range(len(self.ending))]
        outputs = [*names, self.output_name]
        nodes = [helper.make_node("Gemm", ["flat", "linear", "bias"], [outputs[0]])]
        for index, operator in enumerate(self.ending):
            nodes.append(helper.make_node(operator, [outputs[index]], [outputs[index + 1]]))
        return nodes

    def _weights(self, element_type: int) -> list[onnx.TensorProto]:
        random = np.random.default_rng(5)
        dtype = helper.tensor_dtype_to_np_dtype(element_type)
        scale = 1 / 255 if self.element_type == TensorProto.UINT8 else 1.0
        weights = {
            "first": random.normal(0, 0.3 * scale, (8, 3, 3, 3)),
            "second": random.normal(0, 0.2, (16, 8, 3, 3)),
            "linear": random.normal(0, 0.5, (16, CLASSES)),
            "bias": random.normal(0, 0.5, CLASSES),
        }
        tensors = [numpy_helper.from_array(value.astype(dtype), name) for name, value in weights.items()]
        if self.flatten == "Reshape":
            tensors.append(numpy_helper.from_array(np.array([1, 16]), "flat_shape"))
        return tensors


def _declared(weight: onnx.TensorProto) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
