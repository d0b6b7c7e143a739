"""Photos drawn for the tests."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray


def jpeg(width: int = 320, height: int = 240, brightness: int = 128) -> bytes:
    """A grey gradient around a brightness."""
    ramp = np.linspace(-20, 20, width).clip(-brightness, 255 - brightness) + brightness
    return encode(np.broadcast_to(ramp[None, :, None], (height, width, 3)).astype(np.uint8), "JPEG")


def slow_png() -> bytes:
    """Takes a few hundred milliseconds to decode: 20 megapixels that no scaled decoding helps with."""
    return encode(np.broadcast_to(np.arange(5000)[None, :, None] % 256, (4000, 5000, 3)).astype(np.uint8), "PNG")


def encode(pixels: NDArray[np.uint8], kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()
