"""PNG: what a walk over its chunks accepts and refuses."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from preprocess.errors import CorruptImageError, PolyglotImageError, TooComplexImageError, TruncatedImageError
from preprocess.header import read_header
from preprocess.png import MAX_CHUNKS
from tests.unit.preprocess.photos import (
    PNG_SIGNATURE_BYTES,
    draw_photo,
    encode,
    insert_png_chunk,
    png,
    png_chunk,
    tensor,
)

PHOTO = encode(draw_photo(96, 64), "PNG")
BOMB = zlib.compress(bytes(64 * 1024 * 1024), 9)


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"iCCP", b"profile\0\0" + BOMB),
        png_chunk(b"zTXt", b"Comment\0\0" + BOMB),
        png_chunk(b"iTXt", b"Comment\0\1\0\0\0" + BOMB),
        png_chunk(b"eXIf", b"MM\0*" + b"\xff" * 300),
        png_chunk(b"acTL", b"\xff" * 8),
        png_chunk(b"gAMA", b""),
    ],
    ids=["iCCP bomb", "zTXt bomb", "iTXt bomb", "hostile eXIf", "broken acTL", "empty gAMA"],
)
def test_chunks_that_pixels_do_not_need_are_never_unpacked(chunk: bytes) -> None:
    assert (tensor(insert_png_chunk(PHOTO, chunk)) == tensor(PHOTO)).all()


def test_an_animation_is_its_first_frame() -> None:
    first, second = draw_photo(64, 64), draw_photo(64, 64, seed=1)
    photo = encode(first, "PNG", save_all=True, append_images=[second])
    assert b"fdAT" in photo
    assert (tensor(photo) == tensor(encode(first, "PNG"))).all()


def test_data_behind_the_end_are_refused() -> None:
    with pytest.raises(PolyglotImageError):
        read_header(PHOTO + b"x")


def test_a_photo_without_its_end_is_truncated() -> None:
    with pytest.raises(TruncatedImageError):
        read_header(PHOTO[:-12])


def test_a_photo_that_does_not_begin_with_its_header_is_corrupt() -> None:
    chunk = png_chunk(b"tEXt", b"a\0b")
    with pytest.raises(CorruptImageError):
        read_header(PHOTO[:PNG_SIGNATURE_BYTES] + chunk + PHOTO[PNG_SIGNATURE_BYTES:])


def test_a_flood_of_chunks_is_refused() -> None:
    with pytest.raises(TooComplexImageError):
        read_header(insert_png_chunk(PHOTO, png_chunk(b"tEXt", b"") * MAX_CHUNKS))


def test_a_wrong_checksum_is_corrupt() -> None:
    pixels = PHOTO.index(b"IDAT") + 4
    with pytest.raises(CorruptImageError):
        tensor(PHOTO[:pixels] + bytes([PHOTO[pixels] ^ 0xFF]) + PHOTO[pixels + 1 :])


def test_compressed_data_that_stop_early_are_refused() -> None:
    rows = b"\0" + np.random.default_rng(1).bytes(64)
    whole = zlib.compress(rows * 64)
    short = png_chunk(b"IDAT", whole[: len(whole) // 2])
    with pytest.raises(TruncatedImageError):
        tensor(png(64, 64, 8, 0, rows * 64).replace(png_chunk(b"IDAT", whole), short))


@pytest.mark.parametrize(("depth", "colour_type"), [(3, 0), (8, 5), (16, 3), (0, 2)])
def test_a_depth_that_does_not_exist_is_corrupt(depth: int, colour_type: int) -> None:
    with pytest.raises(CorruptImageError):
        tensor(png(16, 16, depth, colour_type, bytes(3000)))


def test_a_palette_image_without_a_palette_is_corrupt() -> None:
    with pytest.raises(CorruptImageError):
        tensor(png(16, 16, 8, 3, (b"\0" + bytes(16)) * 16))
