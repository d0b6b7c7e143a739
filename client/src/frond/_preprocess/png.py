"""The structure of a PNG (W3C PNG, third edition): header, orientation, and the chunks that pixels need."""

from __future__ import annotations

import struct

from frond._preprocess import exif
from frond._preprocess.errors import CorruptImageError, PolyglotImageError, TooComplexImageError, TruncatedImageError
from frond._preprocess.outline import Outline

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 10_000  # the byte cap in libpng's chunks of 8 KiB is 2,560
# Not among them: text and profiles (compressed, so possibly bombs) and further frames.
PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})


def outline(data: bytes) -> Outline:
    """Walk all chunks; nothing may follow the last."""
    if data[8:16] != b"\0\0\0\rIHDR":
        raise CorruptImageError("The PNG does not begin with its header.")
    width, height = struct.unpack_from(">II", data, 16)
    orientation = exif.UPRIGHT
    parts = [slice(8)]
    position = 8
    for _ in range(MAX_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, position)
        start, position = position, position + length + 12
        if position > len(data):
            raise TruncatedImageError("The PNG ends within a chunk.")
        if kind in PIXEL_CHUNKS:
            parts.append(slice(start, position))
        elif kind == b"eXIf":
            orientation = exif.orientation(data[start + 8 : position - 4])
        if kind == b"IEND":
            if position < len(data):
                raise PolyglotImageError("Data follow the end of the PNG.")
            return Outline(width, height, orientation, tuple(parts))
    raise TooComplexImageError(f"The PNG has more than {MAX_CHUNKS} chunks.")
