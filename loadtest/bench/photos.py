"""The photos that every target gets: the drawn leaf at three sizes."""

from __future__ import annotations

import io

from PIL import Image

from cli.sample import draw_sample

SIZES = {"256px": (256, 256), "1mp": (1152, 864), "12mp": (4000, 3000)}
TITLES = {"256px": "256 px", "1mp": "1 MP", "12mp": "12 MP"}


def photo(size: str) -> bytes:
    """A JPEG of quality 90."""
    encoded = io.BytesIO()
    Image.open(io.BytesIO(draw_sample())).resize(SIZES[size], Image.Resampling.BICUBIC).save(
        encoded, "JPEG", quality=90
    )
    return encoded.getvalue()
