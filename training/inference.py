"""Logits of photos from a release's ONNX file: decoded as the server does, run as the server runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import onnxruntime

from preprocess.errors import ImageError
from preprocess.tensor import to_tensor
from training.photos import PhotosError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from preprocess.tensor import ImageTensor, Preprocessing

MODEL_FILE = "model.onnx"
BATCH_SIZE = 16  # 28 MB of tensors at 380 px; larger batches are no faster on a CPU

Progress: TypeAlias = Callable[[str, int, int], None]
"""What is being done, steps done, steps in all."""


def silent(_step: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


class Classifier:
    """A release's graph: uint8 [N, size, size, 3] → logits float32 [N, C]."""

    def __init__(self, folder: Path, preprocessing: Preprocessing) -> None:
        self._session = onnxruntime.InferenceSession(str(folder / MODEL_FILE), providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._preprocessing = preprocessing

    def logits(self, paths: Sequence[Path], step: str, progress: Progress) -> NDArray[np.float32]:
        """Raises `PhotosError` with the path of a photo that cannot be read."""
        answers = []
        with ThreadPoolExecutor() as pool:
            for start in range(0, len(paths), BATCH_SIZE):
                progress(step, start, len(paths))
                tensors = pool.map(partial(_load, preprocessing=self._preprocessing), paths[start : start + BATCH_SIZE])
                answers.append(self._session.run(None, {self._input: np.stack(list(tensors))})[0])
        progress(step, len(paths), len(paths))
        return np.concatenate(answers)


def _load(path: Path, preprocessing: Preprocessing) -> ImageTensor:
    try:
        return to_tensor(path.read_bytes(), preprocessing)
    except ImageError as error:
        raise PhotosError(f"{path}: {error}") from error
