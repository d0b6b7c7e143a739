"""HEIF files written box by box (ISO/IEC 14496-12, 23008-12), for what no encoder would write."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from PIL import Image

from tests.unit.preprocess.photos import encode

TILE_SIDE = 64


class Item(NamedTuple):
    """One item: its type, its data, and the indices, from 1, of its properties."""

    kind: bytes
    data: bytes
    properties: tuple[int, ...]


def box(kind: bytes, *parts: bytes) -> bytes:
    payload = b"".join(parts)
    return struct.pack(">I4s", 8 + len(payload), kind) + payload


def full_box(kind: bytes, *parts: bytes, version: int = 0) -> bytes:
    return box(kind, bytes([version, 0, 0, 0]), *parts)


def dimensions(width: int, height: int) -> bytes:
    return full_box(b"ispe", struct.pack(">II", width, height))


def grid(rows: int, columns: int, width: int, height: int) -> bytes:
    """The data of a grid item (23008-12, 6.6.2.3)."""
    return struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)


@dataclass(frozen=True, slots=True)
class HeifFile:
    """Items by their number, the list of properties, and references as (type, from, to)."""

    items: dict[int, Item]
    properties: list[bytes]
    references: list[tuple[bytes, int, list[int]]] = field(default_factory=list)
    primary: int = 1
    brand: bytes = b"heic"
    association_boxes: int = 1

    def build(self) -> bytes:
        start = box(b"ftyp", self.brand, bytes(4), b"mif1", self.brand)
        data_position = len(start) + len(self._meta(0)) + 8
        return start + self._meta(data_position) + box(b"mdat", *(item.data for item in self.items.values()))

    def _meta(self, data_position: int) -> bytes:
        references = [
            box(kind, struct.pack(">HH", origin, len(to)), *(struct.pack(">H", item) for item in to))
            for kind, origin, to in self.references
        ]
        return full_box(
            b"meta",
            full_box(b"hdlr", bytes(4), b"pict", bytes(13)),
            full_box(b"pitm", struct.pack(">H", self.primary)),
            self._locations(data_position),
            full_box(b"iinf", struct.pack(">H", len(self.items)), *self._infos()),
            box(b"iprp", box(b"ipco", *self.properties), self._associations() * self.association_boxes),
            full_box(b"iref", *references),
        )

    def _infos(self) -> list[bytes]:
        return [
            full_box(b"infe", struct.pack(">HH4s", number, 0, item.kind), b"\0", version=2)
            for number, item in self.items.items()
        ]

    def _locations(self, position: int) -> bytes:
        entries = []
        for number, item in self.items.items():
            entries.append(struct.pack(">HHHII", number, 0, 1, position, len(item.data)))
            position += len(item.data)
        return full_box(b"iloc", struct.pack(">BBH", 0x44, 0, len(self.items)), *entries)

    def _associations(self) -> bytes:
        entries = [
            struct.pack(">HB", number, len(item.properties)) + bytes(item.properties)
            for number, item in self.items.items()
        ]
        return full_box(b"ipma", struct.pack(">I", len(self.items)), *entries)


def tile(colour: tuple[int, int, int] = (40, 160, 60)) -> tuple[bytes, bytes]:
    """HEVC data of a square of `TILE_SIDE`, and the property that its decoder needs."""
    photo = encode(Image.new("RGB", (TILE_SIDE, TILE_SIDE), colour), "HEIF")
    return _box_of(photo, b"mdat")[8:], _box_of(photo, b"hvcC")


def single(width: int = TILE_SIDE, height: int = TILE_SIDE) -> HeifFile:
    """One HEVC image of `TILE_SIDE` that claims these dimensions."""
    data, decoder = tile()
    return HeifFile({1: Item(b"hvc1", data, (0x81, 2))}, [decoder, dimensions(width, height)])


def tiled(
    rows: int, columns: int, width: int, height: int, *, tile_size: tuple[int, int] = (TILE_SIDE, TILE_SIDE)
) -> HeifFile:
    """A grid that shows one tile again and again, claims these dimensions, and its tile those."""
    data, decoder = tile()
    return HeifFile(
        {1: Item(b"grid", grid(rows, columns, width, height), (3,)), 2: Item(b"hvc1", data, (0x81, 2))},
        [decoder, dimensions(*tile_size), dimensions(width, height)],
        [(b"dimg", 1, [2] * (rows * columns))],
    )


def _box_of(photo: bytes, kind: bytes) -> bytes:
    start = photo.index(kind) - 4
    (length,) = struct.unpack_from(">I", photo, start)
    return photo[start : start + length]
