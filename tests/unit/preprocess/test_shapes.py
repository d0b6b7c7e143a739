"""Photos of every shape and size give a square of the size that was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from preprocess.tensor import Preprocessing, to_tensor
from tests.unit.preprocess.photos import ENCODERS, draw_photo, encode, tensor


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 1000), (33, 31), (257, 129), (16, 16)])
def test_any_shape_becomes_the_square_that_was_asked_for(kind: str, size: tuple[int, int]) -> None:
    photo = ENCODERS[kind](draw_photo(*size))
    pixels = to_tensor(photo, Preprocessing(48, crop_fraction=0.9))
    assert pixels.shape == (48, 48, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous


def test_the_centre_of_a_wide_photo_is_kept() -> None:
    wide = Image.new("RGB", (300, 100), (255, 0, 0))
    wide.paste((0, 255, 0), (100, 0, 200, 100))
    assert (tensor(encode(wide, "PNG"))[:, 1:-1] == (0, 255, 0)).all()


def test_the_crop_fraction_keeps_the_middle() -> None:
    framed = Image.new("RGB", (200, 200), (255, 0, 0))
    framed.paste((0, 255, 0), (50, 50, 150, 150))
    pixels = tensor(encode(framed, "PNG"), Preprocessing(32, crop_fraction=0.5))
    assert (pixels[1:-1, 1:-1] == (0, 255, 0)).all()


@pytest.mark.parametrize("size", [(1001, 777), (1003, 1003), (2047, 2051)])
def test_a_fraction_of_a_pixel_left_by_scaled_decoding_does_not_shift_the_picture(size: tuple[int, int]) -> None:
    photo = encode(draw_photo(*size), "JPEG", quality=95, subsampling=0)
    full = tensor(encode(draw_photo(*size), "PNG"), Preprocessing(48))
    assert np.abs(tensor(photo, Preprocessing(48)) - full).mean() < 0.7


@pytest.mark.parametrize("size", [15, 2049, -1])
def test_a_size_that_no_model_has_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="size"):
        Preprocessing(size)


@pytest.mark.parametrize("crop_fraction", [0, 0.05, 1.01, float("nan")])
def test_a_crop_fraction_outside_of_the_photo_is_refused(crop_fraction: float) -> None:
    with pytest.raises(ValueError, match="crop_fraction"):
        Preprocessing(224, crop_fraction)


def test_an_unknown_interpolation_is_refused() -> None:
    with pytest.raises(ValueError, match="interpolation"):
        Preprocessing(224, interpolation="nearest")  # type: ignore[arg-type]


def test_interpolation_is_the_one_that_was_asked_for() -> None:
    photo = encode(draw_photo(500, 500), "PNG")
    assert (tensor(photo) != tensor(photo, Preprocessing(32, interpolation="bilinear"))).any()
