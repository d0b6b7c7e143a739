"""A large photo → a smaller JPEG, where Pillow is installed (extra `frond[photos]`)."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from frond._preprocess.errors import CorruptImageError

if TYPE_CHECKING:
    from PIL import Image

    from frond._preprocess.header import ContentType


# Not the modes of 16 bits and more, which Pillow would cut off instead of scaling their values.
SCALABLE = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})


def scaled(photo: bytes, content_type: ContentType, orientation: int, max_side: int, jpeg_quality: int) -> bytes | None:
    """An upright JPEG of at most `max_side` pixels; None without Pillow, or for a HEIC without pillow-heif.

    Raises `CorruptImageError` for pixels that cannot be decoded.
    """
    try:
        from frond.policy.decoding import ORIENTATIONS, opened  # noqa: PLC0415  (the extra)
    except ImportError:
        return None
    try:
        image = opened(photo, content_type)
        if image is None or image.mode not in SCALABLE:
            return None
        smaller = _smaller(image, max_side)
    except MemoryError:
        raise
    except Exception as error:  # decoders raise a dozen types; each is a fact about the bytes
        raise CorruptImageError("The photo cannot be decoded.") from error
    turn = ORIENTATIONS.get(orientation)
    return _encoded(smaller if turn is None else smaller.transpose(turn), jpeg_quality)


def _smaller(image: Image.Image, max_side: int) -> Image.Image:
    scale = min(1.0, max_side / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    image.draft("RGB", size)  # a JPEG is decoded at a fraction of its size
    mode = "RGBA" if image.has_transparency_data else "RGB"
    whole = image if image.mode == mode else image.convert(mode)
    smaller = whole.resize(size, reducing_gap=3.0)
    return smaller if mode == "RGB" else _on_white(smaller)


def _on_white(rgba: Image.Image) -> Image.Image:
    """As the service sees what is transparent."""
    white = rgba.copy()
    white.paste("white", (0, 0, *rgba.size))
    white.alpha_composite(rgba)
    return white.convert("RGB")


def _encoded(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()
