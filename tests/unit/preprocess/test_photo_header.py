"""What `read_header` says of whole photos, and what it refuses before anything is decoded."""

from __future__ import annotations

import io
import struct
import subprocess
import sys

import pillow_heif
import pytest
from PIL import Image

from preprocess.errors import (
    CorruptImageError,
    EmptyImageError,
    ImageError,
    ImageTooLargeError,
    TooManyPixelsError,
    TruncatedImageError,
    UnsupportedImageError,
)
from preprocess.header import MAX_SIDE, Header, Limits, read_header
from preprocess.tensor import to_tensor
from tests.unit.preprocess.heif_files import single
from tests.unit.preprocess.photos import (
    CONTENT_TYPES,
    ENCODERS,
    SMALL,
    draw_photo,
    encode,
    exif_block,
    png,
    webp,
    webp_chunk,
)


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("size", [(96, 64), (64, 96), (300, 64), (130, 128)])
def test_a_header_agrees_with_the_decoder_on_type_and_dimensions(kind: str, size: tuple[int, int]) -> None:
    photo = ENCODERS[kind](draw_photo(*size))
    header = read_header(photo)
    decoded = pillow_heif.open_heif(photo) if "heic" in kind else Image.open(io.BytesIO(photo))
    assert header == Header(CONTENT_TYPES[kind], *decoded.size)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["jpeg", "progressive jpeg", "png", "webp", "lossless webp"])
@pytest.mark.parametrize("size", [(1, 1), (1, 37), (101, 33)])
def test_odd_dimensions_are_read_as_they_are(kind: str, size: tuple[int, int]) -> None:
    header = read_header(ENCODERS[kind](draw_photo(*size)))
    assert (header.width, header.height) == size


def test_dimensions_are_those_before_the_orientation_is_applied() -> None:
    photo = encode(draw_photo(64, 48), "JPEG", exif=b"Exif\0\0" + exif_block(6))
    assert read_header(photo) == Header("image/jpeg", 64, 48)


def test_the_dimensions_of_a_thumbnail_inside_the_exif_data_are_not_taken_for_those_of_the_photo() -> None:
    thumbnail = encode(draw_photo(16, 12), "JPEG")
    photo = encode(draw_photo(64, 48), "JPEG", exif=b"Exif\0\0" + exif_block(1) + thumbnail)
    assert read_header(photo) == Header("image/jpeg", 64, 48)


def test_no_bytes_are_an_empty_photo() -> None:
    with pytest.raises(EmptyImageError):
        read_header(b"")


@pytest.mark.parametrize(
    "content",
    [
        b"GIF89a\x01\x00\x01\x00",
        b"BM" + bytes(60),
        b"II*\0" + bytes(60),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n",
        b"PK\x03\x04" + bytes(60),
        b"just text",
        b"\0\0\0\x1cftypavif\0\0\0\0avifmif1",
        b"\0\0\0\x1cftypmif1\0\0\0\0avifmif1",
        b"\0\0\0\x18ftypmp42\0\0\0\0isom",
    ],
    ids=["GIF", "BMP", "TIFF", "SVG", "PDF", "ZIP", "text", "AVIF", "AVIF as mif1", "MP4"],
)
def test_another_kind_of_file_is_unsupported(content: bytes) -> None:
    with pytest.raises(UnsupportedImageError):
        read_header(content)


def test_a_photo_over_the_byte_cap_is_refused() -> None:
    photo = encode(draw_photo(64, 48), "PNG")
    read_header(photo, Limits(max_bytes=len(photo)))
    with pytest.raises(ImageTooLargeError):
        read_header(photo, Limits(max_bytes=len(photo) - 1))


def test_a_photo_over_the_pixel_cap_is_refused() -> None:
    photo = encode(draw_photo(64, 48), "JPEG")
    read_header(photo, Limits(max_pixels=64 * 48))
    with pytest.raises(TooManyPixelsError):
        read_header(photo, Limits(max_pixels=64 * 48 - 1))


def claim_jpeg(width: int, height: int) -> bytes:
    photo = encode(draw_photo(16, 16), "JPEG")
    frame = photo.index(b"\xff\xc0")
    return photo[: frame + 5] + struct.pack(">HH", height, width) + photo[frame + 9 :]


def claim_webp(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp(webp_chunk(b"VP8X", bytes(4) + size))


HUGE = {
    "PNG": png(60_000, 60_000, 8, 6, b""),
    "JPEG": claim_jpeg(60_000, 60_000),
    "WebP": claim_webp(16_384, 16_384),
    "HEIC": single(60_000, 60_000).build(),
}


@pytest.mark.parametrize("kind", HUGE)
def test_a_small_file_that_claims_gigapixels_is_refused_before_it_is_decoded(kind: str) -> None:
    assert len(HUGE[kind]) < 1000
    with pytest.raises(TooManyPixelsError):
        read_header(HUGE[kind])
    with pytest.raises(TooManyPixelsError):
        to_tensor(HUGE[kind], SMALL)


def test_a_png_header_that_claims_gigapixels_in_a_hundred_bytes_is_refused() -> None:
    assert len(HUGE["PNG"]) <= 100


def test_a_photo_longer_than_any_jpeg_can_be_is_refused() -> None:
    read_header(png(MAX_SIDE, 1, 8, 0, b""))
    with pytest.raises(TooManyPixelsError):
        read_header(png(MAX_SIDE + 1, 1, 8, 0, b""))


@pytest.mark.parametrize("photo", [png(0, 5, 8, 0, b""), claim_jpeg(16, 0)], ids=["PNG", "JPEG"])
def test_a_photo_without_extent_is_corrupt(photo: bytes) -> None:
    with pytest.raises(CorruptImageError):
        read_header(photo)


@pytest.mark.parametrize("kind", ENCODERS)
def test_a_photo_cut_off_anywhere_is_refused(kind: str) -> None:
    photo = ENCODERS[kind](draw_photo(96, 80))
    for length in {*range(1, 400), *range(400, len(photo), 97), len(photo) - 2, len(photo) - 1}:
        with pytest.raises(ImageError) as refusal:
            to_tensor(photo[:length], SMALL)
        if length >= 40:
            assert isinstance(refusal.value, TruncatedImageError), length


def test_the_header_is_read_without_numpy_and_without_a_decoder() -> None:
    program = "import sys, preprocess.header; print([m for m in ('numpy', 'PIL', 'pillow_heif') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout == b"[]\n"
