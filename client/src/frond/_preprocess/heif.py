"""The structure of a HEIC (ISO/IEC 14496-12 and 23008-12): the primary image, its dimensions and its tiles."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from frond._preprocess import exif
from frond._preprocess.errors import CorruptImageError, TooComplexImageError, TruncatedImageError, UnsupportedImageError
from frond._preprocess.outline import Outline

if TYPE_CHECKING:
    from collections.abc import Iterator

HEVC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis"})
GENERAL_BRANDS = frozenset({b"mif1", b"msf1"})  # AVIF says this as well
MAX_LIST = 1000  # items and references; libheif's own limit. 50 megapixels in tiles of 512 are 192
MAX_BOXES = 2000

Dimensions = tuple[int, int]


class Box(NamedTuple):
    """Where a box's payload starts and ends."""

    kind: bytes
    start: int
    end: int


def is_heic(data: bytes) -> bool:
    """Whether the file says that it holds images coded as HEVC."""
    if data[4:8] != b"ftyp":
        return False
    length = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[position : position + 4] for position in (8, *range(16, length, 4))}
    return data[8:12] in HEVC_BRANDS | GENERAL_BRANDS and not brands.isdisjoint(HEVC_BRANDS)


def outline(data: bytes) -> Outline:
    """Dimensions and tiles of the primary image, which must be one HEVC image or a grid of such, as phones write it.

    Overlays and other derived images would let a few bytes ask for any number of decoded images. The decoder turns
    the image upright itself (`irot`, `imir`); the EXIF of a HEIC says nothing that counts (23008-12, annex A).
    """
    meta = _children(data, _meta(data), skip=4)
    primary = _primary(data, _required(meta, b"pitm"))
    kinds = dict(_item_kinds(data, _required(meta, b"iinf")))
    sizes = _item_sizes(data, _required(meta, b"iprp"))
    tiles = [primary]
    if kinds.get(primary) == b"grid":
        tiles = _tiles(data, _required(meta, b"iref"), primary)
    if not tiles or any(kinds.get(tile) != b"hvc1" for tile in tiles):
        raise UnsupportedImageError("The HEIC is neither one HEVC image nor a grid of such.")
    if any(item not in sizes for item in (primary, *tiles)):
        raise CorruptImageError("The HEIC has no dimensions.")
    width, height = sizes[primary]
    tile_pixels = sum(sizes[tile][0] * sizes[tile][1] for tile in tiles)
    return Outline(width, height, exif.UPRIGHT, (slice(None),), tile_pixels)


def _meta(data: bytes) -> Box:
    boxes = list(_boxes(data, 0, len(data)))
    metas = [box for box in boxes if box.kind == b"meta"]
    if any(box.end > len(data) for box in boxes if box.kind in (b"ftyp", b"meta", b"mdat")):
        raise TruncatedImageError("The HEIC is shorter than it says.")
    if not metas:
        raise TruncatedImageError("The HEIC ends before it describes its image.")
    if len(metas) > 1:
        raise CorruptImageError("The HEIC describes its image twice.")
    return metas[0]


def _boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes between two positions, up to what is no box: phones append data of their own."""
    for _ in range(MAX_BOXES):
        if start + 8 > end:
            return
        length, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        elif length == 0:
            length = end - start
        if length < head:
            return
        yield Box(kind, start + head, start + length)
        start += length
    raise TooComplexImageError(f"The HEIC has more than {MAX_BOXES} boxes.")


def _children(data: bytes, parent: Box, skip: int = 0) -> list[Box]:
    children = list(_boxes(data, parent.start + skip, parent.end))
    if any(box.end > parent.end for box in children):
        raise CorruptImageError("The HEIC has a box that is larger than the one around it.")
    return children


def _required(boxes: list[Box], kind: bytes) -> Box:
    matching = [box for box in boxes if box.kind == kind]
    if len(matching) != 1:  # a second one would leave open which of them the decoder believes
        raise CorruptImageError(f"The HEIC has {len(matching)} boxes of the kind {kind.decode()}.")
    return matching[0]


def _primary(data: bytes, pitm: Box) -> int:
    return int.from_bytes(data[pitm.start + 4 : pitm.start + (6 if data[pitm.start] == 0 else 8)], "big")


def _item_kinds(data: bytes, iinf: Box) -> Iterator[tuple[int, bytes]]:
    count_bytes = 2 if data[iinf.start] == 0 else 4
    for infe in _children(data, iinf, skip=4 + count_bytes):
        version = data[infe.start]
        if infe.kind == b"infe" and version >= 2:
            item, _, kind = struct.unpack_from(">HH4s" if version == 2 else ">IH4s", data, infe.start + 4)
            yield item, kind


def _item_sizes(data: bytes, iprp: Box) -> dict[int, Dimensions]:
    """The largest `ispe` that each item is associated with."""
    children = _children(data, iprp)
    properties = _children(data, _required(children, b"ipco"))
    sizes: dict[int, Dimensions] = {}
    for item, index in _associations(data, _required(children, b"ipma")):
        if 1 <= index <= len(properties) and properties[index - 1].kind == b"ispe":
            size: Dimensions = struct.unpack_from(">II", data, properties[index - 1].start + 4)
            sizes[item] = max(size, sizes.get(item, (0, 0)), key=lambda size: size[0] * size[1])
    return sizes


def _associations(data: bytes, ipma: Box) -> Iterator[tuple[int, int]]:
    """Pairs of an item and the index, from 1, of one of its properties."""
    version, is_wide = data[ipma.start], data[ipma.start + 3] & 1
    head, index, mask = ">HB" if version == 0 else ">IB", ">H" if is_wide else ">B", 0x7FFF if is_wide else 0x7F
    (count,) = struct.unpack_from(">I", data, ipma.start + 4)
    _refuse_long_list(count)
    position = ipma.start + 8
    for _ in range(count):
        item, associations = struct.unpack_from(head, data, position)
        position += struct.calcsize(head)
        for _ in range(associations):
            yield item, struct.unpack_from(index, data, position)[0] & mask
            position += struct.calcsize(index)


def _tiles(data: bytes, iref: Box, primary: int) -> list[int]:
    item = ">H" if data[iref.start] == 0 else ">I"
    width = struct.calcsize(item)
    for box in _children(data, iref, skip=4):
        if box.kind == b"dimg" and struct.unpack_from(item, data, box.start)[0] == primary:
            (count,) = struct.unpack_from(">H", data, box.start + width)
            _refuse_long_list(count)
            first = box.start + width + 2
            return [struct.unpack_from(item, data, first + width * index)[0] for index in range(count)]
    return []


def _refuse_long_list(count: int) -> None:
    if count > MAX_LIST:
        raise TooComplexImageError(f"The HEIC has a list of {count} entries; at most {MAX_LIST} are allowed.")
