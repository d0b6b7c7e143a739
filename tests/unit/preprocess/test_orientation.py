"""The tensor is upright, whatever way the phone was held."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from preprocess.exif import orientation
from tests.unit.preprocess.photos import (
    CORNERS,
    corner_colours,
    draw_corners,
    draw_photo,
    encode,
    exif_block,
    insert_jpeg_segment,
    jpeg_segment,
    tensor,
)

# EXIF 2.32, 4.6.4 A: where the stored row 0 and column 0 are seen → the order of the stored quarters when upright.
SEEN = {
    1: ["top left", "top right", "bottom left", "bottom right"],
    2: ["top right", "top left", "bottom right", "bottom left"],
    3: ["bottom right", "bottom left", "top right", "top left"],
    4: ["bottom left", "bottom right", "top left", "top right"],
    5: ["top left", "bottom left", "top right", "bottom right"],
    6: ["bottom left", "top left", "bottom right", "top right"],
    7: ["bottom right", "top right", "bottom left", "top left"],
    8: ["top right", "bottom right", "top left", "bottom left"],
}


def test_the_table_of_this_test_is_pillows_too() -> None:
    for value, seen in SEEN.items():
        picture = draw_corners()
        picture.getexif()[0x0112] = value
        assert corner_colours(np.asarray(ImageOps.exif_transpose(picture), dtype=np.int16)) == seen


@pytest.mark.parametrize("value", SEEN)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_orientation_is_turned_upright(kind: str, value: int) -> None:
    photo = encode(draw_corners(), kind, exif=b"Exif\0\0" + exif_block(value))
    assert corner_colours(tensor(photo)) == SEEN[value]


@pytest.mark.parametrize("value", SEEN)
def test_a_heic_is_turned_by_its_own_properties_and_not_by_its_exif_data_on_top(value: int) -> None:
    photo = encode(draw_corners(128), "HEIF", exif=b"Exif\0\0" + exif_block(value))
    assert exif_block(value) in photo
    assert (b"irot" in photo or b"imir" in photo) == (value != 1)
    assert corner_colours(tensor(photo)) == SEEN[value]


def test_exif_data_alone_do_not_turn_a_heic() -> None:
    photo = encode(draw_corners(128), "HEIF", exif=b"Exif\0\0" + exif_block(6))
    angle = photo.index(b"irot") + 4
    assert corner_colours(tensor(photo[:angle] + b"\0" + photo[angle + 1 :])) == SEEN[1]


def test_a_photo_that_is_not_square_is_cropped_around_the_same_centre_in_every_orientation() -> None:
    picture = draw_photo(300, 200)
    upright = tensor(encode(picture, "PNG"))
    stored = picture.transpose(Image.Transpose.ROTATE_90)  # seen again after a quarter turn clockwise: 6
    assert np.abs(tensor(encode(stored, "PNG", exif=exif_block(6))) - upright).max() <= 1


def test_the_first_of_two_exif_blocks_counts() -> None:
    photo = encode(draw_corners(), "JPEG", exif=b"Exif\0\0" + exif_block(8))
    photo = insert_jpeg_segment(photo, jpeg_segment(0xE1, b"Exif\0\0" + exif_block(3)))
    assert corner_colours(tensor(photo)) == SEEN[3]


@pytest.mark.parametrize("value", [0, 9, 255, 65_535])
def test_an_orientation_that_does_not_exist_is_upright(value: int) -> None:
    assert orientation(exif_block(value)) == 1


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"Exif\0\0",
        b"II*\0",
        b"XX*\0" + bytes(60),
        b"II*\0" + b"\xff" * 60,
        b"MM\0*" + struct.pack(">IH", 8, 65_535),
        b"II*\0" + struct.pack("<IHHHII", 8, 1, 0x0112, 2, 1, 6),
        b"II*\0" + struct.pack("<IHHHII", 8, 1, 0x0112, 3, 2**31, 6),
    ],
    ids=["empty", "mark only", "cut", "no TIFF", "offset beyond", "entries beyond", "as text", "a billion values"],
)
def test_a_broken_block_is_upright_and_never_refuses_the_photo(block: bytes) -> None:
    assert orientation(block) == 1
    photo = insert_jpeg_segment(encode(draw_corners(), "JPEG"), jpeg_segment(0xE1, b"Exif\0\0" + block))
    assert corner_colours(tensor(photo)) == list(CORNERS)


def test_both_byte_orders_are_read() -> None:
    assert orientation(exif_block(6)) == 6
    assert orientation(b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)) == 6


@given(st.binary(max_size=200))
def test_any_block_gives_an_orientation_that_exists(block: bytes) -> None:
    assert 1 <= orientation(b"II*\0" + block) <= 8
