"""Tensors against the slow way: decode every pixel, turn upright, crop, resize bicubically, all with Pillow alone."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image, ImageOps

from preprocess.tensor import Preprocessing, to_tensor
from tests.shared_data import FIELD_PHOTOS, NO_FIELD_PHOTOS
from tests.unit.preprocess.photos import Pixels, draw_photo, encode, exif_block

# Of 255. A scaled decode rounds differently from a full one and a resize; neither is nearer to the scene.
MAX_MEAN_DIFFERENCE = 0.3
MAX_DIFFERENCE = 8

SIZES = {"256 px": (256, 256), "1 MP": (1024, 1031), "2 MP": (1920, 1080), "12 MP": (4032, 3024)}
TARGETS = (224, 380)


def reference(photo: bytes, preprocessing: Preprocessing) -> Pixels:
    """The square of `preprocessing` from a photo decoded whole."""
    with Image.open(io.BytesIO(photo)) as stored:
        picture = ImageOps.exif_transpose(stored).convert("RGB")
    side = min(picture.size) * preprocessing.crop_fraction
    left, top = (picture.width - side) / 2, (picture.height - side) / 2
    size = preprocessing.size
    box = (left, top, left + side, top + side)
    return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC, box), dtype=np.int16)


def assert_close(photo: bytes, preprocessing: Preprocessing) -> None:
    difference = np.abs(to_tensor(photo, preprocessing) - reference(photo, preprocessing))
    assert difference.mean() <= MAX_MEAN_DIFFERENCE
    assert difference.max() <= MAX_DIFFERENCE


@pytest.fixture(scope="module", params=SIZES)
def picture(request: pytest.FixtureRequest) -> Image.Image:
    return draw_photo(*SIZES[request.param], seed=len(request.param))


@pytest.mark.parametrize("size", TARGETS)
@pytest.mark.parametrize("crop_fraction", [1.0, 0.875])
def test_a_jpeg_is_close_to_its_full_decode(picture: Image.Image, size: int, crop_fraction: float) -> None:
    assert_close(encode(picture, "JPEG", quality=92), Preprocessing(size, crop_fraction))


@pytest.mark.parametrize("size", TARGETS)
def test_a_progressive_jpeg_with_all_its_colour_is_close_too(picture: Image.Image, size: int) -> None:
    assert_close(encode(picture, "JPEG", quality=95, subsampling=0, progressive=True), Preprocessing(size))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_close_to_its_full_decode(orientation: int) -> None:
    photo = encode(draw_photo(1201, 907), "JPEG", quality=92, exif=b"Exif\0\0" + exif_block(orientation))
    assert_close(photo, Preprocessing(224))


@pytest.mark.parametrize("size", TARGETS)
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_formats_without_scaled_decoding_equal_their_full_decode(kind: str, size: int) -> None:
    photo = encode(draw_photo(1153, 865), kind)
    assert (to_tensor(photo, Preprocessing(size)) == reference(photo, Preprocessing(size))).all()


def test_a_greyscale_jpeg_is_close_to_its_full_decode() -> None:
    assert_close(encode(draw_photo(2000, 1500).convert("L"), "JPEG", quality=92), Preprocessing(224))


def test_a_cmyk_jpeg_is_close_to_its_full_decode() -> None:
    assert_close(encode(draw_photo(2000, 1500).convert("CMYK"), "JPEG", quality=92), Preprocessing(224))


@pytest.mark.skipif(not FIELD_PHOTOS, reason=NO_FIELD_PHOTOS)
@pytest.mark.parametrize("size", TARGETS)
def test_field_photos_are_close_to_their_full_decode(size: int) -> None:
    step = math.ceil(len(FIELD_PHOTOS) / 35)
    for path in FIELD_PHOTOS[::step]:
        assert_close(path.read_bytes(), Preprocessing(size))
