"""Photos drawn for the measurement, and the tensors that a network makes of them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageEnhance

from cli.sample import draw_sample
from preprocess.tensor import Preprocessing, to_tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZES = {"256px": (256, 256), "12mp": (4000, 3000)}
VARIED = 24  # enough to differ in crop, colour and light, few enough for EfficientNet-B4 on the CPU
SEED = 5
DIFFERENT = 4  # photos of one size that take turns, so that no cache of a single one flatters


def of_size(name: str) -> list[bytes]:
    """JPEGs of one of `SIZES`, each of another part of the drawn leaf."""
    return [_encoded(picture.resize(SIZES[name], Image.Resampling.BICUBIC)) for picture in _pictures(DIFFERENT)]


def varied() -> list[bytes]:
    """JPEGs that differ in crop, colour, brightness and shape: what answers are compared on."""
    shapes = [(480, 480), (640, 480), (480, 640)]
    return [
        _encoded(picture.resize(shapes[index % len(shapes)], Image.Resampling.BICUBIC))
        for index, picture in enumerate(_pictures(VARIED))
    ]


def tensors(photos: list[bytes], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """uint8 [n, size, size, 3], as `diagnose` makes them."""
    return np.stack([to_tensor(photo, preprocessing) for photo in photos])


def _pictures(count: int) -> list[Image.Image]:
    """Squares of the drawn leaf, from a quarter of it to the whole, with colours exchanged and other light."""
    random = np.random.default_rng(SEED)
    leaf = Image.open(io.BytesIO(draw_sample())).convert("RGB")
    return [_picture(random, leaf) for _ in range(count)]


def _picture(random: np.random.Generator, leaf: Image.Image) -> Image.Image:
    side = int(leaf.width * random.uniform(0.25, 1))
    left, top = (int(random.uniform(0, leaf.width - side)) for _ in range(2))
    square = leaf.crop((left, top, left + side, top + side))
    bands = square.split()
    square = Image.merge("RGB", [bands[band] for band in random.permutation(len(bands))])
    return ImageEnhance.Brightness(square).enhance(random.uniform(0.4, 1.5))


def _encoded(picture: Image.Image) -> bytes:
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=90)
    return encoded.getvalue()
