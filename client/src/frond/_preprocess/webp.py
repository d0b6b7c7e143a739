"""The structure of a WebP (RFC 9649): dimensions, orientation, and whether it is all there."""

from __future__ import annotations

import struct

from frond._preprocess import exif
from frond._preprocess.errors import CorruptImageError, PolyglotImageError, TooComplexImageError, TruncatedImageError
from frond._preprocess.outline import Outline

MAX_CHUNKS = 2000  # a photo has seven; an animation, of which the first frame counts, has one a frame


def outline(data: bytes) -> Outline:
    """Dimensions of the first chunk, the canvas; then a walk over all chunks, as far as the file says that it goes."""
    (riff_bytes,) = struct.unpack_from("<I", data, 4)
    end = riff_bytes + 8
    if end > len(data):
        raise TruncatedImageError("The WebP is shorter than it says.")
    if end + 1 < len(data):  # one byte of padding is legal
        raise PolyglotImageError("Data follow the end of the WebP.")
    width, height = _dimensions(data)
    return Outline(width, height, _orientation(data, end), (slice(None),))


def _dimensions(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":  # RFC 6386, 9.1
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and data[20:21] == b"\x2f":  # RFC 9649, 3.4
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":  # RFC 9649, 2.7.1: 24 bits each, less one
        width_low, width_high, height_low, height_high = struct.unpack_from("<HBHB", data, 24)
        return (width_high << 16 | width_low) + 1, (height_high << 16 | height_low) + 1
    raise CorruptImageError("The WebP does not begin with its dimensions.")


def _orientation(data: bytes, end: int) -> int:
    orientation, position = exif.UPRIGHT, 12
    for _ in range(MAX_CHUNKS):
        if position >= end:
            return orientation
        kind, length = struct.unpack_from("<4sI", data, position)
        payload, position = position + 8, position + 8 + length + length % 2
        if payload + length > end:
            raise TruncatedImageError("The WebP ends within a chunk.")
        if kind == b"EXIF":
            orientation = exif.orientation(data[payload : payload + length])
    raise TooComplexImageError(f"The WebP has more than {MAX_CHUNKS} chunks.")
