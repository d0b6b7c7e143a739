"""Photos to send: the drawn leaf at the sizes that phones send, each with bytes of its own."""

from __future__ import annotations

import functools
import io
import secrets

from PIL import Image

from cli.sample import draw_sample

SIZES = {"256px": (256, 256), "1mp": (1152, 864), "12mp": (4000, 3000), "24mp": (6000, 4000)}
START_OF_IMAGE = b"\xff\xd8"
COMMENT = b"\xff\xfe"
COMMENT_BYTES = 16


@functools.cache
def photo(size: str) -> bytes:
    """A JPEG of that size; raises KeyError for a size that is not in `SIZES`."""
    encoded = io.BytesIO()
    Image.open(io.BytesIO(draw_sample())).resize(SIZES[size], Image.Resampling.BICUBIC).save(
        encoded, "JPEG", quality=90
    )
    return encoded.getvalue()


def as_new(jpeg: bytes) -> bytes:
    """The same picture with another SHA-256, unknown to all on the way: with a random comment (ITU T.81, B.2.4.5)."""
    length = (COMMENT_BYTES + 2).to_bytes(2, "big")
    return START_OF_IMAGE + COMMENT + length + secrets.token_bytes(COMMENT_BYTES) + jpeg[len(START_OF_IMAGE) :]
