"""A release small enough to see through: its classifier answers with the mean colour of the photo."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 16
LABELS = ("Apple___healthy", "Apple___rust", "Background")
BACKGROUND = LABELS[2]
SHARPNESS = 0.08  # logits a grey level; far from what its accuracy deserves, so that calibration has work to do


def write_release(folder: Path, background: str | None = BACKGROUND) -> Path:
    """A version folder as `read_release` wants it."""
    folder.mkdir(parents=True)
    onnx.save(colour_graph(), folder / "model.onnx")
    labels = [{"label": name, "crop": "Apple", "condition": name, "healthy": "healthy" in name} for name in LABELS]
    thresholds = {"leafLogOddsThreshold": None, "leafEnergyThreshold": None, "minConfidence": 0.0}
    abstention = {"backgroundLabel": background, **thresholds}
    calibration = {"version": "7", "temperature": 1.0, "calibrationError": None, "abstention": abstention}
    preprocessing = {"size": SIZE, "cropFraction": 1.0, "interpolation": "bicubic"}
    for name, content in (("labels", labels), ("preprocess", preprocessing), ("calibration", calibration)):
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def colour_graph() -> onnx.ModelProto:
    """uint8 [N, 16, 16, 3] → float32 [N, 3]: the mean of each channel, sharpened."""
    nodes = [
        helper.make_node("Cast", ["IMAGE"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["means"], axes=[1, 2], keepdims=0),
        helper.make_node("Mul", ["means", "sharpness"], ["LOGITS"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("IMAGE", TensorProto.UINT8, ["batch", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("LOGITS", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(np.array(SHARPNESS, dtype=np.float32), "sharpness")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return model


def write_photos(folder: Path, channel: int, count: int, seed: int, noise: float = 60) -> Path:
    """PNGs whose brightest channel is mostly the one asked for; with more noise, less often."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        colour = random.normal(0, noise, 3) + 110
        colour[channel] += 60
        pixels = np.broadcast_to(colour.clip(0, 255).astype(np.uint8), (SIZE, SIZE, 3))
        Image.fromarray(np.ascontiguousarray(pixels)).save(folder / f"{index}.png")
    return folder


def write_split(folder: Path, count: int, seed: int) -> Path:
    for channel, label in enumerate(LABELS):
        write_photos(folder / label, channel, count, seed + channel)
    return folder
