"""Photos less what they tell of the person who took them: no place, no time, no owner, no second picture.

Pixels are kept bit for bit, and the orientation with them. Everything else that can be left out is left out, rather
than the location alone: it stands in EXIF, in XMP, in makers' notes and in the videos that phones append.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from frond._preprocess import heif
from frond._preprocess.exif import ORIENTATION_TAG, SHORT, UPRIGHT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frond._preprocess.header import ContentType
    from frond._preprocess.outline import Outline

JPEG_START, PNG_START = 2, 33  # behind the start marker; behind the signature and IHDR
METADATA_ITEMS = frozenset({b"Exif", b"mime", b"uri "})  # in a HEIC; `mime` is XMP
PICTURE_BOXES = frozenset({b"ftyp", b"meta", b"mdat"})  # of a HEIC
METADATA_CHUNKS = frozenset({b"EXIF", b"XMP "})  # in a WebP


def without_metadata(data: bytes, content_type: ContentType, outline: Outline) -> bytes:
    """The photo again. `outline` is that of these bytes; a HEIC whose items cannot be found raises `struct.error`."""
    if content_type == "image/webp":
        return _webp(data, outline.orientation)
    if content_type == "image/heic":
        return _heic(data)
    pixels = outline.pixel_bytes(data)
    if outline.orientation == UPRIGHT:
        return pixels
    exif = _exif(outline.orientation)
    start, block = (JPEG_START, _jpeg_block(exif)) if content_type == "image/jpeg" else (PNG_START, _png_chunk(exif))
    return pixels[:start] + block + pixels[start:]


def _exif(orientation: int) -> bytes:
    """A TIFF structure with the orientation in it and nothing else (EXIF 2.32, 4.6.2)."""
    entry = struct.pack(">HHIHH", ORIENTATION_TAG, SHORT, 1, orientation, 0)
    return b"MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)


def _jpeg_block(exif: bytes) -> bytes:
    payload = b"Exif\0\0" + exif
    return b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload


def _png_chunk(exif: bytes) -> bytes:
    return struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif))


def _webp(data: bytes, orientation: int) -> bytes:
    """Chunks of metadata are overwritten where they stand: nothing moves, so no offset has to be put right."""
    cleaned = bytearray(data)
    position = 12
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        if kind in METADATA_CHUNKS:
            content = _exif(orientation) if kind == b"EXIF" else b""
            cleaned[position + 8 : position + 8 + length] = content.ljust(length, b"\0")[:length]
        position += 8 + length + length % 2
    return bytes(cleaned)


def _heic(data: bytes) -> bytes:
    """As for a WebP; the orientation of a HEIC is not in its EXIF."""
    cleaned = bytearray(data)
    meta_box = heif._meta(data)  # noqa: SLF001  (our own copy)
    meta = heif._children(data, meta_box, skip=4)  # noqa: SLF001
    kinds = dict(heif._item_kinds(data, heif._required(meta, b"iinf")))  # noqa: SLF001
    idat = next((box.start for box in meta if box.kind == b"idat"), 0)
    for item, method, start, length in _extents(data, heif._required(meta, b"iloc")):  # noqa: SLF001
        if kinds.get(item) in METADATA_ITEMS:
            begin = start + (idat if method == 1 else 0)
            end = min(begin + length, len(data)) if length else len(data)
            cleaned[begin:end] = bytes(max(0, end - begin))
    _free_the_rest(cleaned)
    return bytes(cleaned)


def _free_the_rest(cleaned: bytearray) -> None:
    """What phones append to the picture, a video for one, becomes free space (ISO/IEC 14496-12, 8.1.2)."""
    end = 0
    for box in heif._boxes(bytes(cleaned), 0, len(cleaned)):  # noqa: SLF001
        if box.kind not in PICTURE_BOXES:
            cleaned[end + 4 : end + 8] = b"free"
            cleaned[box.start : box.end] = bytes(len(cleaned[box.start : box.end]))
        end = box.end
    del cleaned[end:]


def _extents(data: bytes, iloc: heif.Box) -> Iterator[tuple[int, int, int, int]]:
    """Item, construction method, offset and length of each stretch (ISO/IEC 14496-12, 8.11.3)."""
    fields = _Fields(data, iloc.start + 4)
    version = data[iloc.start]
    sizes = fields.take(2)
    offset_bytes, length_bytes, base_bytes, index_bytes = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    for _ in range(_short(fields.take(4 if version == 2 else 2))):
        item = fields.take(4 if version == 2 else 2)
        method = fields.take(2) & 15 if version else 0
        fields.take(2)  # which file: this one
        base = fields.take(base_bytes)
        for _ in range(_short(fields.take(2))):
            fields.take(index_bytes if version else 0)
            offset = base + fields.take(offset_bytes)
            yield item, method, offset, fields.take(length_bytes)


def _short(count: int) -> int:
    heif._refuse_long_list(count)  # noqa: SLF001
    return count


class _Fields:
    """Whole numbers one behind the other, each as wide as the reader says."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._position = position

    def take(self, width: int) -> int:
        start, self._position = self._position, self._position + width
        if self._position > len(self._data):
            raise struct.error("the list of items ends too early")
        return int.from_bytes(self._data[start : self._position], "big")
