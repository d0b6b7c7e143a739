"""A tiny photo made in code, for the synthetic inference."""

from __future__ import annotations

import struct
import zlib

SIDE_PIXELS = 32
GREEN = bytes((60, 140, 60))


def green_png() -> bytes:
    """A green square as PNG (ISO/IEC 15948): 8 bits a channel, RGB, no filter on any row."""
    header = struct.pack(">IIBBBBB", SIDE_PIXELS, SIDE_PIXELS, 8, 2, 0, 0, 0)
    rows = (b"\x00" + GREEN * SIDE_PIXELS) * SIDE_PIXELS
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in chunks)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
