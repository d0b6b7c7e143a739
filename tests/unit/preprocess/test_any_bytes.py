"""Whatever the bytes: a tensor or an `ImageError`, from any number of threads, and no other outcome."""

from __future__ import annotations

import io
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from preprocess.errors import ImageError
from preprocess.header import Limits, read_header
from preprocess.tensor import Preprocessing, to_tensor
from tests.unit.preprocess.heif_files import tiled
from tests.unit.preprocess.photos import ENCODERS, draw_photo, encode, exif_block

TINY = Preprocessing(16)
LIMITS = Limits(max_bytes=100_000, max_pixels=1_000_000)
PICTURE = draw_photo(72, 56)
EXIF = b"Exif\0\0" + exif_block(6)
PHOTOS = [
    *(encoder(PICTURE) for encoder in ENCODERS.values()),
    *(encode(PICTURE, kind, exif=EXIF) for kind in ("JPEG", "PNG", "WEBP", "HEIF")),
    encode(PICTURE.convert("CMYK"), "JPEG"),
    encode(PICTURE.quantize(16), "PNG", transparency=1),
    encode(PICTURE.convert("RGBA"), "WEBP", save_all=True, append_images=[draw_photo(72, 56, seed=1)]),
    encode(PICTURE, "MPO", save_all=True, append_images=[PICTURE]),
    tiled(2, 2, 128, 128).build(),
]
STARTS = [
    b"",
    b"\xff\xd8\xff",
    b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x10\x00\x10\x03",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    b"RIFF\x40\0\0\0WEBP",
    b"RIFF\x40\0\0\0WEBPVP8X",
    b"\0\0\0\x14ftypheic\0\0\0\0heic",
    b"\0\0\0\x14ftypheic\0\0\0\0heic\0\0\0\x40meta",
]
PILLOW_TYPES = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


@st.composite
def broken_photos(draw: st.DrawFn) -> bytes:
    """A real photo with a few spans overwritten, removed, doubled or filled in."""
    photo = bytearray(draw(st.sampled_from(PHOTOS)))
    for _ in range(draw(st.integers(1, 4))):
        # Structure stands at the start: half of all wounds go there.
        start = draw(st.one_of(st.integers(0, min(700, len(photo))), st.integers(0, len(photo))))
        end = min(len(photo), start + draw(st.sampled_from([0, 1, 1, 2, 4, 16, 300])))
        wound = draw(
            st.one_of(st.binary(max_size=8), st.sampled_from([b"\xff" * 4, b"\0\0\0\1", bytes(photo[start:end]) * 2]))
        )
        photo[start:end] = wound
    return bytes(photo)


def check(photo: bytes) -> None:
    try:
        header = read_header(photo, LIMITS)
    except ImageError as refusal:
        with pytest.raises(type(refusal)):
            to_tensor(photo, TINY, LIMITS)
        return
    assert 1 <= header.width * header.height <= LIMITS.max_pixels
    try:
        tensor = to_tensor(photo, TINY, LIMITS)
    except ImageError:
        return
    assert tensor.shape == (16, 16, 3)
    assert tensor.dtype == np.uint8


@given(st.sampled_from(STARTS), st.binary(max_size=400))
def test_any_bytes_are_a_tensor_or_an_image_error(start: bytes, rest: bytes) -> None:
    check(start + rest)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(broken_photos())
def test_a_broken_photo_is_a_tensor_or_an_image_error(photo: bytes) -> None:
    check(photo)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(broken_photos())
def test_the_header_never_disagrees_with_a_decoder_that_accepts_the_photo(photo: bytes) -> None:
    try:
        header = read_header(photo, LIMITS)
    except ImageError:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks about broken metadata
        try:
            if header.content_type == "image/heic":
                file = pillow_heif.open_heif(photo)
                len(file.data)
                assert file.size[0] * file.size[1] <= header.width * header.height
                return
            with Image.open(io.BytesIO(photo)) as image:
                image.load()
        except (OSError, SyntaxError, ValueError, RuntimeError, EOFError, IndexError):
            return
    assert (PILLOW_TYPES[image.format or ""], *image.size) == (header.content_type, header.width, header.height)


def test_photos_decoded_by_many_threads_are_the_same_as_by_one() -> None:
    photos = [encoder(draw_photo(200 + 16 * seed, 160, seed)) for seed in range(4) for encoder in ENCODERS.values()]
    alone = [to_tensor(photo, TINY) for photo in photos]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            together = list(pool.map(lambda photo: to_tensor(photo, TINY), photos))
            assert all((a == b).all() for a, b in zip(alone, together, strict=True))


def test_decoding_leaves_pillows_own_settings_alone() -> None:
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, dict(Image.OPEN), list(Image.ID))
    for photo in PHOTOS:
        to_tensor(photo, TINY)
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, dict(Image.OPEN), list(Image.ID))
