"""WebP: what a walk over its chunks accepts and refuses."""

from __future__ import annotations

import struct

import pytest

from preprocess.errors import (
    CorruptImageError,
    ImageError,
    PolyglotImageError,
    TooComplexImageError,
    TruncatedImageError,
)
from preprocess.header import read_header
from preprocess.webp import MAX_CHUNKS
from tests.unit.preprocess.photos import draw_photo, encode, tensor, webp, webp_chunk

PICTURE = draw_photo(96, 64)
PHOTO = encode(PICTURE, "WEBP", quality=90)
EXTENDED = encode(PICTURE, "WEBP", quality=90, exif=b"MM\0*" + bytes(30), icc_profile=bytes(100))


def test_metadata_change_nothing() -> None:
    assert EXTENDED[12:16] == b"VP8X"
    assert (tensor(EXTENDED) == tensor(PHOTO)).all()


def test_an_animation_is_its_first_frame() -> None:
    photo = encode(PICTURE, "WEBP", lossless=True, save_all=True, append_images=[draw_photo(96, 64, seed=1)])
    assert b"ANMF" in photo
    assert (tensor(photo) == tensor(encode(PICTURE, "WEBP", lossless=True))).all()


def test_data_behind_the_end_are_refused() -> None:
    with pytest.raises(PolyglotImageError):
        read_header(PHOTO + b"ab")


def test_one_byte_of_padding_behind_the_end_is_legal() -> None:
    assert (tensor(PHOTO + b"\0") == tensor(PHOTO)).all()


def test_a_photo_shorter_than_it_says_is_truncated() -> None:
    with pytest.raises(TruncatedImageError):
        read_header(PHOTO[:-1])


def test_a_chunk_that_passes_the_end_is_truncated() -> None:
    with pytest.raises(TruncatedImageError):
        read_header(webp(webp_chunk(b"VP8X", bytes(10)), b"EXIF" + struct.pack("<I", 5000)))


def test_a_flood_of_chunks_is_refused() -> None:
    canvas = webp_chunk(b"VP8X", bytes(10))
    with pytest.raises(TooComplexImageError):
        read_header(webp(canvas, webp_chunk(b"EXIF", b"") * MAX_CHUNKS))


def test_a_canvas_that_disagrees_with_its_picture_is_refused() -> None:
    lying = EXTENDED[:24] + (9).to_bytes(3, "little") + EXTENDED[27:]
    assert read_header(lying).width == 10
    with pytest.raises(ImageError):
        tensor(lying)


@pytest.mark.parametrize("kind", [b"VP8 ", b"VP8L", b"ABCD"])
def test_a_first_chunk_without_dimensions_is_corrupt(kind: bytes) -> None:
    with pytest.raises(CorruptImageError):
        read_header(webp(webp_chunk(kind, bytes(64))))
