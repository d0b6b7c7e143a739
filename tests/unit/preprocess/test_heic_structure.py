"""HEIC: which items may be the photo, and how many pixels may hide behind them."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest

from preprocess.errors import (
    CorruptImageError,
    ImageError,
    TooComplexImageError,
    TooManyPixelsError,
    TruncatedImageError,
    UnsupportedImageError,
)
from preprocess.header import Header, Limits, read_header
from preprocess.heif import MAX_BOXES, MAX_LIST
from tests.unit.preprocess.heif_files import TILE_SIDE, Item, box, dimensions, full_box, single, tiled
from tests.unit.preprocess.photos import draw_photo, encode, tensor

PHOTO = encode(draw_photo(160, 96), "HEIF", tile_size=64)


def test_a_single_image_is_read_as_it_is() -> None:
    photo = single().build()
    assert read_header(photo) == Header("image/heic", TILE_SIDE, TILE_SIDE)
    assert np.abs(tensor(photo) - (40, 160, 60)).max() < 6


def test_a_general_brand_is_accepted_when_hevc_is_named_beside_it() -> None:
    photo = single().build()
    assert read_header(photo.replace(b"ftypheic", b"ftypmif1")) == read_header(photo)


def test_the_dimensions_of_a_tiled_photo_are_those_of_the_whole() -> None:
    assert read_header(PHOTO) == Header("image/heic", 160, 96)
    assert read_header(tiled(2, 3, 160, 100).build()) == Header("image/heic", 160, 100)
    assert np.abs(tensor(tiled(2, 3, 160, 100).build()) - (40, 160, 60)).max() < 6


def test_what_phones_append_is_accepted() -> None:
    motion_photo = box(b"mpvd", np.random.default_rng(1).bytes(4000)) + box(b"sefd", bytes(100))
    assert (tensor(PHOTO + motion_photo) == tensor(PHOTO)).all()
    assert (tensor(PHOTO + bytes(64)) == tensor(PHOTO)).all()


def test_an_image_larger_than_its_box_says_is_refused() -> None:
    with pytest.raises(ImageError):
        tensor(single(16, 16).build())


def test_an_image_smaller_than_its_box_says_is_refused() -> None:
    with pytest.raises(ImageError):
        tensor(single(640, 480).build())


def test_a_grid_larger_than_its_box_says_is_refused() -> None:
    file = tiled(2, 2, 128, 128)
    with pytest.raises(ImageError):
        tensor(replace(file, properties=[*file.properties[:2], dimensions(16, 16)]).build())


def test_many_large_tiles_behind_a_small_photo_are_refused() -> None:
    limits = Limits(max_pixels=20 * TILE_SIDE**2)
    assert read_header(tiled(6, 6, 128, 128).build(), limits)
    with pytest.raises(TooComplexImageError):
        read_header(tiled(6, 7, 128, 128).build(), limits)


def test_a_huge_tile_behind_a_small_photo_is_refused() -> None:
    with pytest.raises(TooComplexImageError):
        read_header(tiled(1, 1, 64, 64, tile_size=(20_000, 20_000)).build())


def test_of_two_dimensions_of_one_image_the_larger_counts() -> None:
    file = single()
    both = replace(
        file,
        items={1: file.items[1]._replace(properties=(0x81, 2, 3))},
        properties=[*file.properties, dimensions(60_000, 60_000)],
    )
    with pytest.raises(TooManyPixelsError):
        read_header(both.build())


@pytest.mark.parametrize("kind", [b"iovl", b"iden", b"av01", b"jpeg", b"unci"])
def test_a_primary_image_that_is_neither_hevc_nor_a_grid_is_unsupported(kind: bytes) -> None:
    file = single()
    overlay = replace(file, items={1: Item(kind, b"", (2,)), 2: file.items[1]}, references=[(b"dimg", 1, [2] * 900)])
    with pytest.raises(UnsupportedImageError):
        read_header(overlay.build())


def test_a_grid_of_grids_is_unsupported() -> None:
    file = tiled(1, 1, 64, 64)
    nested = replace(
        file, items={1: file.items[1], 2: file.items[1]}, references=[(b"dimg", 1, [2]), (b"dimg", 2, [1])]
    )
    with pytest.raises(UnsupportedImageError):
        read_header(nested.build())


def test_a_list_longer_than_any_phone_writes_is_refused() -> None:
    with pytest.raises(TooComplexImageError):
        read_header(replace(tiled(1, 1, 64, 64), references=[(b"dimg", 1, [2] * (MAX_LIST + 1))]).build())


def test_a_flood_of_boxes_is_refused() -> None:
    with pytest.raises(TooComplexImageError):
        read_header(PHOTO + box(b"free") * MAX_BOXES)


def test_properties_associated_twice_are_corrupt() -> None:
    """The decoder reads one such box. Reading all of them took 18 s for a file of 18 MB."""
    with pytest.raises(CorruptImageError):
        read_header(replace(single(), association_boxes=2).build())


def test_two_descriptions_of_the_image_are_corrupt() -> None:
    photo = single().build()
    start = photo.index(b"meta") - 4
    (length,) = struct.unpack_from(">I", photo, start)
    with pytest.raises(CorruptImageError):
        read_header(photo + photo[start : start + length])


def test_an_image_without_dimensions_is_corrupt() -> None:
    file = single()
    with pytest.raises(CorruptImageError):
        read_header(replace(file, properties=[file.properties[0], full_box(b"pixi", b"\3\x08\x08\x08")]).build())


def test_a_box_larger_than_the_one_around_it_is_corrupt() -> None:
    photo = single().build()
    inner = photo.index(b"ipco") - 4
    with pytest.raises(CorruptImageError):
        read_header(photo[:inner] + struct.pack(">I", 5000) + photo[inner + 4 :])


def test_a_file_without_a_description_is_truncated() -> None:
    with pytest.raises(TruncatedImageError):
        read_header(box(b"ftyp", b"heic", bytes(4), b"mif1heic") + bytes(100))
