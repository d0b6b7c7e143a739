"""EfficientNet-B4 and ResNet-50 as ONNX with random weights: models of the size people bring, to prove serving with.

Written operator by operator, so neither torch nor a download is needed. Batch normalisation is folded into the
convolutions, as exporters do; inputs are float32 NCHW with ImageNet's normalisation outside, as such files come.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.efficientnet import STAGES, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

OPSET, IR_VERSION = 17, 8
CLASSES = 29
# What keeps the variance of activations from growing with depth (He et al. 2015). For SiLU and for a sigmoid gate these
# are the limits for large activations, so that a large one shrinks back instead of feeding on itself.
RELU_GAIN = SILU_GAIN = GATE_GAIN = math.sqrt(2)
RESIDUAL_GAIN = 0.3  # of a branch that is added: the sum grows by 1.09 in variance, not by 2
RESNET_REPEATS = (3, 4, 6, 3)


class Builder:
    """Collects nodes and random weights; every method takes names of tensors and returns the name of its result."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        output = f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, value: NDArray[Any]) -> str:
        name = f"weight_{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(value, name))
        return name

    def convolution(
        self, x: str, inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1, gain: float = 1.0
    ) -> str:
        fan_in = inputs // groups * kernel**2
        weight = self._random.normal(0, gain / math.sqrt(fan_in), (outputs, inputs // groups, kernel, kernel))
        bias = self._random.normal(0, 0.02, outputs)
        return self.node(
            "Conv",
            x,
            self.constant(weight.astype(np.float32)),
            self.constant(bias.astype(np.float32)),
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[kernel // 2] * 4,
            group=groups,
        )

    def relu(self, x: str) -> str:
        return self.node("Relu", x)

    def silu(self, x: str) -> str:
        return self.node("Mul", x, self.node("Sigmoid", x))

    def linear(self, x: str, inputs: int, outputs: int, gain: float) -> str:
        weight = self._random.normal(0, gain / math.sqrt(inputs), (outputs, inputs)).astype(np.float32)
        return self.node("Gemm", x, self.constant(weight), self.constant(np.zeros(outputs, np.float32)), transB=1)

    def model(self, output: str, batch: int | str, size: int, classes: int) -> onnx.ModelProto:
        self._nodes[-1].output[0] = "output"
        graph = helper.make_graph(
            self._nodes,
            output,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, size, size])],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, classes])],
            self._weights,
        )
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="frond")


def efficientnet_b4(classes: int = CLASSES, seed: int = 0) -> onnx.ModelProto:
    """EfficientNet-B4 (width 1.4, depth 1.8), float32 [batch, 3, 380, 380] → logits [batch, classes], batch dynamic."""
    width, depth = 1.4, 1.8
    build = Builder(seed)
    inputs = scaled_channels(32, width)
    x = build.silu(build.convolution("input", 3, inputs, 3, stride=2))
    for stage in STAGES:
        outputs = scaled_channels(stage.channels, width)
        for repeat in range(math.ceil(stage.repeats * depth)):
            stride = stage.stride if repeat == 0 else 1
            x = _inverted_bottleneck(build, x, inputs, outputs, stage._replace(stride=stride))
            inputs = outputs
    head = scaled_channels(1280, width)
    x = build.silu(build.convolution(x, inputs, head, gain=SILU_GAIN))
    pooled = build.node("Flatten", build.node("GlobalAveragePool", x))
    return build.model(build.linear(pooled, head, classes, gain=80), "batch", 380, classes)


def resnet_50(classes: int = CLASSES, seed: int = 0) -> onnx.ModelProto:
    """ResNet-50 (stride on the 3x3), float32 [1, 3, 224, 224] → logits [1, classes]; its batch is fixed."""
    build = Builder(seed)
    x = build.relu(build.convolution("input", 3, 64, 7, stride=2))
    x = build.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    inputs = 64
    for index, repeats in enumerate(RESNET_REPEATS):
        width = 64 << index
        for repeat in range(repeats):
            x = _bottleneck(build, x, inputs, width, stride=2 if repeat == 0 and index > 0 else 1)
            inputs = 4 * width
    pooled = build.node("Reshape", build.node("GlobalAveragePool", x), build.constant(np.array([1, -1])))
    return build.model(build.linear(pooled, inputs, classes, gain=4), 1, 224, classes)


NETWORKS: dict[str, Callable[[int, int], onnx.ModelProto]] = {
    "efficientnet-b4": efficientnet_b4,
    "resnet-50": resnet_50,
}


def scaled_channels(channels: int, width: float) -> int:
    """The multiple of 8 nearest to `channels * width`, never below 90 % of it."""
    scaled = max(8, int(channels * width + 4) // 8 * 8)
    return scaled + 8 if scaled < 0.9 * channels * width else scaled


def _inverted_bottleneck(build: Builder, x: str, inputs: int, outputs: int, stage: Stage) -> str:
    """Expand, depthwise convolution, squeeze-excitation (a quarter of the block's inputs), project, add."""
    adds_input = stage.stride == 1 and inputs == outputs
    hidden = inputs * stage.expansion
    out = x if stage.expansion == 1 else build.silu(build.convolution(x, inputs, hidden))
    out = build.silu(
        build.convolution(out, hidden, hidden, stage.kernel, stride=stage.stride, groups=hidden, gain=SILU_GAIN)
    )
    squeezed = build.silu(build.convolution(build.node("GlobalAveragePool", out), hidden, inputs // 4))
    gate = build.node("Sigmoid", build.convolution(squeezed, inputs // 4, hidden, gain=SILU_GAIN))
    gain = SILU_GAIN * GATE_GAIN * (RESIDUAL_GAIN if adds_input else 1)
    out = build.convolution(build.node("Mul", out, gate), hidden, outputs, gain=gain)
    return build.node("Add", out, x) if adds_input else out


def _bottleneck(build: Builder, x: str, inputs: int, width: int, stride: int) -> str:
    """1x1, 3x3, 1x1 to four times the width, added to the input or to its projection."""
    out = build.relu(build.convolution(x, inputs, width))
    out = build.relu(build.convolution(out, width, width, 3, stride=stride, gain=RELU_GAIN))
    out = build.convolution(out, width, 4 * width, gain=RELU_GAIN * RESIDUAL_GAIN)
    is_same_shape = inputs == 4 * width and stride == 1
    shortcut = x if is_same_shape else build.convolution(x, inputs, 4 * width, stride=stride)
    return build.relu(build.node("Add", out, shortcut))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=sorted(NETWORKS))
    parser.add_argument("out", type=Path, help="the .onnx file to write")
    parser.add_argument("--classes", type=int, default=CLASSES)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    onnx.save(NETWORKS[options.network](options.classes, options.seed), options.out)
    print(f"Wrote {options.out} ({options.out.stat().st_size / 1e6:.0f} MB, random weights).")


if __name__ == "__main__":
    main()
