"""The two networks that serving is proven with are the ones of their papers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from onnx import TensorProto, checker

from training.reference_networks import efficientnet_b4, resnet_50

if TYPE_CHECKING:
    from collections.abc import Callable

    from onnx import ModelProto

IMAGENET_CLASSES = 1000


@pytest.mark.parametrize(
    ("build", "parameters", "normalised_channels"),
    [
        # As published, with 1000 classes; each normalised channel has two parameters of which folding leaves one.
        pytest.param(efficientnet_b4, 19_341_616, 62_600, id="EfficientNet-B4"),
        pytest.param(resnet_50, 25_557_032, 26_560, id="ResNet-50"),
    ],
)
def test_a_network_has_as_many_parameters_as_the_published_one(
    build: Callable[[int], ModelProto], parameters: int, normalised_channels: int
) -> None:
    model = build(IMAGENET_CLASSES)
    checker.check_model(model, full_check=True)
    weights = [tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT]
    assert sum(math.prod(tensor.dims) for tensor in weights) == parameters - normalised_channels


def test_the_same_seed_gives_the_same_network() -> None:
    first, second, other = (resnet_50(2, seed).SerializeToString() for seed in (1, 1, 2))
    assert first == second
    assert first != other
