"""Every way of storing colour arrives as the same 8-bit RGB."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from tests.unit.preprocess.photos import Pixels, draw_photo, encode, png, png_chunk, tensor

PICTURE = draw_photo(64, 64)
REFERENCE = tensor(encode(PICTURE, "PNG"))
GREY_REFERENCE = tensor(encode(PICTURE.convert("L").convert("RGB"), "PNG"))


def plain(colour: tuple[int, int, int]) -> Pixels:
    return np.full((32, 32, 3), colour, dtype=np.int16)


def difference(pixels: Pixels, reference: Pixels) -> int:
    return int(np.abs(pixels - reference).max())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_greyscale_is_three_equal_channels(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100}
    pixels = tensor(encode(PICTURE.convert("L"), kind, **options))
    assert difference(pixels, GREY_REFERENCE) <= 2
    assert (pixels == pixels[..., :1]).all()


def test_a_greyscale_heic_is_three_equal_channels() -> None:
    pixels = tensor(encode(PICTURE.convert("L"), "HEIF"))
    assert np.abs(pixels - GREY_REFERENCE).mean() < 3
    assert (pixels == pixels[..., :1]).all()


def test_ink_is_read_as_light() -> None:
    red = Image.new("CMYK", (64, 64), (0, 255, 255, 0))
    assert difference(tensor(encode(red, "JPEG", quality=95)), plain((255, 0, 0))) <= 3


def test_a_cmyk_jpeg_is_read_as_inverted_with_and_without_adobes_mark_as_browsers_do() -> None:
    photo = encode(PICTURE.convert("CMYK"), "JPEG", quality=100)
    mark = photo.index(b"\xff\xee\x00\x0eAdobe")
    unmarked = photo[:mark] + photo[mark + 16 :]
    assert b"Adobe" not in unmarked
    assert np.abs(tensor(photo) - REFERENCE).mean() < 2
    assert (tensor(unmarked) == tensor(photo)).all()


def test_a_ycck_jpeg_is_told_apart_by_adobes_mark() -> None:
    white = encode(Image.new("CMYK", (64, 64)), "JPEG", quality=100)
    transform = white.index(b"Adobe") + 11
    assert white[transform] == 0
    as_ycck = white[:transform] + b"\x02" + white[transform + 1 :]
    # Stored 255, 255, 255, 255 (inverted: no ink). As YCbCr that is R 255, G 121, B 255, and stored inverted, too.
    assert difference(tensor(white), plain((255, 255, 255))) <= 2
    assert difference(tensor(as_ycck), plain((0, 134, 0))) <= 3


def test_a_palette_is_looked_up() -> None:
    few = PICTURE.quantize(32)
    assert difference(tensor(encode(few, "PNG")), tensor(encode(few.convert("RGB"), "PNG"))) == 0


def test_one_bit_is_black_and_white() -> None:
    half = Image.new("1", (64, 64))
    half.paste(1, (0, 0, 64, 32))
    pixels = tensor(encode(half, "PNG"))
    assert pixels[:14].min() == 255
    assert pixels[-14:].max() == 0


@pytest.mark.parametrize("value", [0, 1, 128, 257, 32_768, 65_407, 65_535])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(value: int) -> None:
    photo = encode(Image.fromarray(np.full((40, 40), value, dtype=np.uint16)), "PNG")
    assert difference(tensor(photo), plain((round(value / 257),) * 3)) == 0


def test_sixteen_bit_grey_with_a_transparent_value_is_read() -> None:
    row = b"\0" + b"\xab\xcd" * 16
    photo = png(16, 16, 16, 0, row * 16, png_chunk(b"tRNS", b"\x00\x01"))
    assert difference(tensor(photo), plain((171, 171, 171))) <= 1


@pytest.mark.parametrize(
    ("colour_type", "sample", "expected"),
    [
        (2, b"\xff\xff\x80\x00\x00\x10", (255, 128, 0)),
        (6, b"\xff\xff\x80\x00\x00\x10\xff\xff", (255, 128, 0)),
        (4, b"\x80\x00\xff\xff", (128, 128, 128)),
    ],
    ids=["RGB", "RGBA", "grey with alpha"],
)
def test_sixteen_bits_a_channel_are_reduced_to_eight(
    colour_type: int, sample: bytes, expected: tuple[int, int, int]
) -> None:
    photo = png(16, 16, 16, colour_type, (b"\0" + sample * 16) * 16)
    assert difference(tensor(photo), plain(expected)) <= 1


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_few_bits_of_grey_span_black_to_white(depth: int) -> None:
    row = b"\0" + b"\xff" * (8 * depth) + b"\x00" * (8 * depth)
    pixels = tensor(png(128, 128, depth, 0, row * 128))
    assert pixels[:, :14].min() == 255
    assert pixels[:, -14:].max() == 0


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "HEIF"])
def test_transparency_is_laid_on_white(kind: str) -> None:
    glass = Image.new("RGBA", (64, 64), (200, 0, 0, 0))
    glass.paste((0, 0, 200, 255), (0, 0, 64, 32))
    settings: dict[str, dict[str, Any]] = {"PNG": {}, "WEBP": {"lossless": True}, "HEIF": {"chroma": 444}}
    pixels = tensor(encode(glass, kind, **settings[kind]))
    assert difference(pixels[:12], plain((0, 0, 200))[:12]) <= 4
    assert difference(pixels[-12:], plain((255, 255, 255))[-12:]) <= 4


def test_colours_of_invisible_pixels_do_not_bleed_into_their_neighbours() -> None:
    checks = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    for column in range(0, 64, 2):
        checks.paste((0, 0, 0, 255), (column, 0, column + 1, 64))
    pixels = tensor(encode(checks, "PNG"))[4:-4, 4:-4]
    assert difference(pixels, np.full_like(pixels, 127)) <= 4  # half black, half white, no red


def test_half_transparent_is_half_white() -> None:
    assert difference(tensor(encode(Image.new("RGBA", (64, 64), (0, 100, 0, 128)), "PNG")), plain((127, 177, 127))) <= 1
    assert difference(tensor(encode(Image.new("LA", (64, 64), (0, 128)), "PNG")), plain((127, 127, 127))) <= 1


def test_premultiplied_transparency_of_a_heic_is_laid_on_white() -> None:
    glass = Image.new("RGBa", (64, 64), (0, 50, 0, 128))
    assert difference(tensor(encode(glass, "HEIF", chroma=444)), plain((127, 177, 127))) <= 4


@pytest.mark.parametrize(("mode", "transparency"), [("P", 0), ("P", b"\0"), ("L", 10), ("RGB", (10, 10, 10)), ("1", 0)])
def test_a_transparent_colour_is_laid_on_white(mode: str, transparency: object) -> None:
    dark = Image.new("RGB", (64, 64), (10, 10, 10))
    dark.paste((250, 250, 250), (0, 0, 64, 32))
    stored = dark.quantize(2, kmeans=1) if mode == "P" else dark.convert(mode)
    if mode == "P":
        stored = stored.remap_palette(sorted(range(2), key=lambda index: sum(stored.getpalette()[3 * index :][:3])))  # type: ignore[index]
    pixels = tensor(encode(stored, "PNG", transparency=transparency))
    assert pixels[-12:].min() >= 250


def test_a_ten_bit_heic_is_reduced_to_eight() -> None:
    deep = (np.asarray(PICTURE, dtype=np.uint16) * 257).tobytes()
    file = pillow_heif.from_bytes("RGB;16", PICTURE.size, deep)
    encoded = io.BytesIO()
    file.save(encoded, quality=90, chroma=444)
    assert pillow_heif.open_heif(encoded.getvalue()).info["bit_depth"] == 10
    assert np.abs(tensor(encoded.getvalue()) - REFERENCE).mean() < 3
