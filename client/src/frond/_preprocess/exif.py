"""The orientation in a block of EXIF data, read defensively: metadata is never a reason to refuse a photo."""

from __future__ import annotations

import struct

UPRIGHT = 1
ORIENTATION_TAG = 0x0112
SHORT = 3  # TIFF 6.0, field type of the orientation
BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}


def orientation(exif: bytes) -> int:
    """1 to 8 (EXIF 2.32, 4.6.4 A); 1 where the block is broken, has none, or a value that does not exist."""
    tiff = exif.removeprefix(b"Exif\0\0")
    byte_order = BYTE_ORDERS.get(tiff[:4])
    if byte_order is None:
        return UPRIGHT
    try:
        value = _first_directory_short(tiff, byte_order, ORIENTATION_TAG)
    except struct.error:
        return UPRIGHT
    return value if value is not None and 1 <= value <= 8 else UPRIGHT


def _first_directory_short(tiff: bytes, byte_order: str, wanted: int) -> int | None:
    (directory,) = struct.unpack_from(f"{byte_order}I", tiff, 4)
    (entries,) = struct.unpack_from(f"{byte_order}H", tiff, directory)
    for entry in range(entries):
        tag, kind, count, value = struct.unpack_from(f"{byte_order}HHIH", tiff, directory + 2 + 12 * entry)
        if tag == wanted:
            return int(value) if kind == SHORT and count == 1 else None
    return None
