"""Type and dimensions of a photo from its bytes, in plain Python: nothing native sees bytes that were not checked."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from preprocess import heif, jpeg, png, webp
from preprocess.errors import (
    CorruptImageError,
    EmptyImageError,
    ImageTooLargeError,
    TooComplexImageError,
    TooManyPixelsError,
    TruncatedImageError,
    UnsupportedImageError,
)
from preprocess.polyglot import refuse_polyglot

if TYPE_CHECKING:
    from collections.abc import Callable

    from preprocess.outline import Outline

ContentType = Literal["image/jpeg", "image/png", "image/webp", "image/heic"]

OUTLINES: dict[ContentType, Callable[[bytes], Outline]] = {
    "image/jpeg": jpeg.outline,
    "image/png": png.outline,
    "image/webp": webp.outline,
    "image/heic": heif.outline,
}
MAX_SIDE = 65_535  # a JPEG's own limit; 50,000,000 rows of one pixel would cost more in pointers than in pixels
# Tiles overlap the edges of the photo: by a fifth for tiles of 512 in 50 megapixels.
MAX_TILE_OVERLAP = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """What a photo may cost before a pixel is decoded."""

    max_bytes: int = 20 * 1024 * 1024
    max_pixels: int = 50_000_000


@dataclass(frozen=True, slots=True)
class Header:
    """What a photo says of itself; dimensions in stored pixels, before it is turned upright or cropped (`clap`)."""

    content_type: ContentType
    width: int
    height: int


def read_header(data: bytes, limits: Limits = Limits()) -> Header:
    """Check a photo's structure without decoding pixels.

    Raises the `ImageError` that applies: empty, over the byte cap, of no supported type, over the pixel cap,
    cut off, malformed, or more complex than any camera's.
    """
    content_type, outline = _outline(data, limits)
    return Header(content_type, outline.width, outline.height)


def inspect(data: bytes, limits: Limits) -> tuple[ContentType, Outline]:
    """Do what `read_header` does, refuse a polyglot as well, and answer what decoding needs.

    Looking for other documents takes more than twice as long as the rest: it is for whoever decodes, and nobody before.
    """
    content_type, outline = _outline(data, limits)
    refuse_polyglot(data)
    return content_type, outline


def _outline(data: bytes, limits: Limits) -> tuple[ContentType, Outline]:
    if not data:
        raise EmptyImageError("The photo is empty.")
    if len(data) > limits.max_bytes:
        raise ImageTooLargeError(f"The photo has {len(data)} bytes; at most {limits.max_bytes} are allowed.")
    content_type = _content_type(data)
    try:
        outline = OUTLINES[content_type](data)
    except (struct.error, IndexError) as error:
        raise TruncatedImageError("The photo ends within its header.") from error
    _refuse_dimensions(outline, limits)
    return content_type, outline


def _content_type(data: bytes) -> ContentType:
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(png.SIGNATURE):
        return "image/png"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    if heif.is_heic(data):
        return "image/heic"
    raise UnsupportedImageError("The photo is neither JPEG, PNG, WebP nor HEIC.")


def _refuse_dimensions(outline: Outline, limits: Limits) -> None:
    width, height = outline.width, outline.height
    if width < 1 or height < 1:
        raise CorruptImageError(f"The photo says that it is {width} by {height} pixels.")
    if width * height > limits.max_pixels:
        raise TooManyPixelsError(f"The photo has {width} by {height} pixels; at most {limits.max_pixels} are allowed.")
    if max(width, height) > MAX_SIDE:
        raise TooManyPixelsError(f"The photo is {max(width, height)} pixels long; at most {MAX_SIDE} are allowed.")
    if outline.tile_pixels > MAX_TILE_OVERLAP * limits.max_pixels:
        raise TooComplexImageError("The photo's tiles have more pixels than the photo may have.")
