"""The PlantVillage splits in memory: photos as uint8 tensors through the serving code, labels in the model's order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from preprocess.tensor import Preprocessing, to_tensor
from training.photos import photo_paths

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

BACKGROUND = "Background_without_leaves"


@dataclass(frozen=True, slots=True)
class Split:
    """Photos uint8 [N, size, size, 3], their class indices int64 [N], and the labels those index."""

    photos: NDArray[np.uint8]
    classes: NDArray[np.int64]
    labels: tuple[str, ...]


def load_photos(paths: list[Path], size: int, description: str) -> NDArray[np.uint8]:
    """Decode photos to uint8 [N, size, size, 3] exactly as the server does."""
    preprocessing = Preprocessing(size)
    with ThreadPoolExecutor() as pool:
        tensors = pool.map(lambda path: to_tensor(path.read_bytes(), preprocessing), paths)
        return np.stack(list(tqdm(tensors, description, total=len(paths), unit="photo")))


def load_split(folder: Path, size: int) -> Split:
    """Load `<folder>/<label>/<photo>`; labels are the sorted folder names."""
    labels = tuple(sorted(path.name for path in folder.iterdir() if path.is_dir()))
    if not labels:
        raise FileNotFoundError(f"{folder} has no folder for any label")
    paths = [(index, path) for index, label in enumerate(labels) for path in photo_paths(folder / label)]
    photos = load_photos([path for _, path in paths], size, folder.name)
    return Split(photos, np.array([index for index, _ in paths], dtype=np.int64), labels)
