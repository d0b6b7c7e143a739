"""The model as the peers use it: Pillow decodes the whole photo, ONNX Runtime predicts, five labels are the answer."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

RELEASE = Path(__file__).parents[2] / "model_repository" / "classifier" / "1"
TOP_K = 5


class Classifier:
    """`threads`: of one prediction. `is_scaled`: a JPEG is decoded at the fraction of its size that suffices."""

    def __init__(self, threads: int, *, is_scaled: bool = False) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = ort.InferenceSession(os.environ.get("MODEL", RELEASE / "model.onnx"), options)
        self._labels = [entry["label"] for entry in _read("labels.json")]
        self._temperature = _read("calibration.json")["temperature"]
        self._size = _read("preprocess.json")["size"]
        self._is_scaled = is_scaled

    def decode(self, photo: bytes) -> NDArray[np.uint8]:
        return self.tensor(Image.open(io.BytesIO(photo)))

    def tensor(self, image: Image.Image) -> NDArray[np.uint8]:
        """The centred square of the image, uint8 [size, size, 3]."""
        size = (self._size, self._size)
        if self._is_scaled:
            image.draft("RGB", (2 * self._size, 2 * self._size))
        if image.mode != "RGB":
            image = image.convert("RGB")
        return np.asarray(ImageOps.fit(image, size, Image.Resampling.BICUBIC))

    def predict(self, tensors: Sequence[NDArray[np.uint8]]) -> list[list[dict[str, Any]]]:
        """For each tensor the most probable labels, the first one first."""
        (logits,) = self._session.run(["LOGITS"], {"IMAGE": np.stack(tensors)})
        scaled = logits.astype(np.float64) / self._temperature
        weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return [self._first(row) for row in weights / weights.sum(axis=1, keepdims=True)]

    def _first(self, probabilities: NDArray[np.float64]) -> list[dict[str, Any]]:
        order = np.argsort(-probabilities)[:TOP_K]
        return [{"label": self._labels[index], "confidence": float(probabilities[index])} for index in order]


def _read(name: str) -> Any:
    return json.loads((RELEASE / name).read_text(encoding="utf-8"))
