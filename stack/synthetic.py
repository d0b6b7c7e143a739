"""A request for Triton that costs little and goes the whole way of a photo."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass

PIXEL = b"\x30\x80\x30"  # green


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """One assessment of one photo in Triton's binary HTTP form: a body that begins with so many bytes of JSON."""

    header_bytes: int
    body: bytes

    @classmethod
    def of(cls, photo: bytes) -> InferenceRequest:
        element = struct.pack("<I", len(photo)) + photo
        size = {"binary_data_size": len(element)}
        tensor = {"name": "IMAGES", "shape": [1, 1], "datatype": "BYTES", "parameters": size}
        header = json.dumps({"inputs": [tensor], "outputs": [{"name": "DIAGNOSIS"}]}).encode()
        return cls(len(header), header + element)


def plain_photo(side: int = 64) -> bytes:
    """A PNG of one colour (RFC 2083), written here so that the probe needs no imaging library."""
    rows = (b"\0" + PIXEL * side) * side
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
