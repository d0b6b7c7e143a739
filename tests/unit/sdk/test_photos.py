"""A photo's bytes are made ready: type, size, hash, and nothing about who took it."""

from __future__ import annotations

import hashlib
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from frond.errors import CloudValidationError
from frond.policy import scaling
from frond.policy.photos import Photo, PhotoPolicy, UnfitPhoto, check_photos, prepare
from frond.reading import read_contents, read_photos
from frond.types import MAX_IMAGE_BYTES
from preprocess.header import read_header
from preprocess.tensor import Preprocessing, to_tensor
from tests.unit.preprocess.photos import draw_corners, draw_photo, encode

GPS_TAG, ORIENTATION_TAG, TURNED_RIGHT = 0x8825, 0x0112, 6
SECRET = b"GARDENOFALICE"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><exif:GPSLatitude>GARDENOFALICE</exif:GPSLatitude></x:xmpmeta>'
SMALL = Preprocessing(64)


def made_ready(data: bytes, policy: PhotoPolicy = PhotoPolicy()) -> Photo:
    photo = prepare(data, policy)
    assert isinstance(photo, Photo), photo
    return photo


def unfit(data: bytes, policy: PhotoPolicy = PhotoPolicy()) -> UnfitPhoto:
    photo = prepare(data, policy)
    assert isinstance(photo, UnfitPhoto)
    return photo


def exif_with_place(orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    exif[0x010F] = SECRET.decode()  # the maker
    exif.get_ifd(GPS_TAG)[2] = (52.0, 30.0, 0.0)
    exif.get_ifd(GPS_TAG)[27] = SECRET  # the place's name
    return exif.tobytes()


def photo_with_place(kind: str, orientation: int = 1) -> bytes:
    options: dict[str, Any] = {"exif": exif_with_place(orientation)}
    if kind in {"WEBP", "HEIF"}:
        options["xmp"] = XMP
    return encode(draw_corners(96), kind, **options)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_no_place_goes_along_and_the_model_sees_the_same(kind: str) -> None:
    original = photo_with_place(kind)
    assert SECRET in original
    sent = made_ready(original)
    assert SECRET not in sent.content
    assert np.array_equal(to_tensor(sent.content, SMALL), to_tensor(original, SMALL))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
def test_the_orientation_stays(kind: str, orientation: int) -> None:
    original = photo_with_place(kind, orientation)
    sent = made_ready(original).content
    assert SECRET not in sent
    assert Image.open(io.BytesIO(sent)).getexif()[ORIENTATION_TAG] == orientation
    assert np.array_equal(to_tensor(sent, SMALL), to_tensor(original, SMALL))


def test_what_a_phone_appends_to_a_jpeg_stays_at_home() -> None:
    original = photo_with_place("JPEG") + b"\0\0\0\x18ftypmp42" + SECRET
    assert SECRET not in made_ready(original).content


@pytest.mark.parametrize(
    "appended", [b"\0\0\0\x19mpvd" + SECRET + b"more", b"\0\0\0\x04" + SECRET], ids=["a box", "no box"]
)
def test_what_a_phone_appends_to_a_heic_stays_at_home(appended: bytes) -> None:
    original = photo_with_place("HEIF") + appended
    sent = made_ready(original).content
    assert SECRET not in sent
    assert np.array_equal(to_tensor(sent, SMALL), to_tensor(original, SMALL))


def test_a_cleaned_photo_is_one_for_other_programs_too() -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        with Image.open(io.BytesIO(made_ready(photo_with_place(kind, TURNED_RIGHT)).content)) as image:
            image.load()
            assert GPS_TAG not in image.getexif()
    heic = pillow_heif.open_heif(made_ready(photo_with_place("HEIF")).content)
    assert heic.size == (96, 96)


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp"), ("HEIF", "image/heic")],
)
def test_type_size_and_hash_are_those_of_what_is_sent(kind: str, content_type: str) -> None:
    photo = made_ready(photo_with_place(kind))
    assert photo.content_type == read_header(photo.content).content_type == content_type
    assert photo.declaration.sha256 == hashlib.sha256(photo.content).hexdigest()
    assert photo.declaration.bytes == len(photo.content)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_a_large_photo_is_scaled_down_and_stands_upright(kind: str) -> None:
    upright = draw_photo(600, 800)
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    options = {} if kind == "HEIF" else {"exif": exif_with_place(TURNED_RIGHT)}
    original = encode(upright if kind == "HEIF" else turned, kind, **options)
    policy = PhotoPolicy(max_bytes=10_000, max_side=400)
    photo = made_ready(original, policy)
    with Image.open(io.BytesIO(photo.content)) as image:
        assert (image.format, image.size) == ("JPEG", (300, 400))
        assert not image.getexif()
    difference = to_tensor(photo.content, SMALL).astype(int) - to_tensor(original, SMALL)
    assert abs(difference).mean() < 4


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_photo_of_too_many_pixels_is_scaled_down_like_one_of_too_many_bytes(kind: str) -> None:
    picture = Image.new("L", (9000, 5700), 120) if kind == "PNG" else Image.new("RGB", (9000, 5700), "green")
    original = encode(picture, kind)
    assert len(original) < PhotoPolicy().max_bytes
    assert read_header(made_ready(original).content).width == 1600


def test_a_photo_that_cannot_be_decoded_in_parts_has_a_limit() -> None:
    assert unfit(encode(Image.new("1", (10_100, 10_000)), "PNG")).code == "image_too_many_pixels"


def test_without_pillow_a_photo_of_too_many_pixels_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "frond.policy.decoding", None)
    assert unfit(encode(Image.new("1", (9000, 5700)), "PNG")).code == "image_too_many_pixels"


def test_what_is_transparent_becomes_white_as_the_service_sees_it() -> None:
    picture = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    photo = made_ready(encode(picture, "PNG"), PhotoPolicy(max_bytes=1, max_side=50))
    assert to_tensor(photo.content, SMALL).min() > 250


def test_a_photo_below_the_limit_is_not_encoded_again() -> None:
    original = encode(draw_photo(300, 200), "JPEG")
    before, after = (Image.open(io.BytesIO(data)) for data in (original, made_ready(original).content))
    assert np.array_equal(np.asarray(before), np.asarray(after))


def test_the_same_photo_gives_the_same_bytes() -> None:
    """Else the same key would be refused for another photo."""
    original = encode(draw_photo(800, 600), "JPEG")
    policy = PhotoPolicy(max_bytes=10_000, max_side=400)
    assert made_ready(original, policy) == made_ready(original, policy)


def test_without_pillow_a_large_photo_is_sent_as_large_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "frond.policy.decoding", None)
    original = encode(draw_photo(800, 600), "JPEG")
    photo = made_ready(original, PhotoPolicy(max_bytes=10_000))
    assert read_header(photo.content).width == 800
    assert scaling.scaled(original, "image/jpeg", 1, 400, 80) is None


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "image_empty"),
        (b"GIF89a", "image_type_unsupported"),
        (encode(draw_corners(), "JPEG")[:200], "image_truncated"),
        (encode(draw_corners(), "PNG") + b"x", "image_polyglot"),
    ],
    ids=["empty", "gif", "cut off", "polyglot"],
)
def test_a_photo_that_cannot_be_cleaned_is_not_sent(data: bytes, code: str) -> None:
    photo = unfit(data)
    assert (photo.code, photo.sha256) == (code, hashlib.sha256(data).hexdigest())
    refusal = photo.refusal(2)
    assert (refusal.code, refusal.retryable) == (code, False)
    assert str(refusal).startswith(f"Photo 2: {photo.message}")


def test_whoever_keeps_metadata_sends_bytes_as_they_are() -> None:
    original = photo_with_place("JPEG")
    policy = PhotoPolicy(removes_metadata=False)
    assert made_ready(original, policy).content == original
    assert made_ready(b"no photo", policy).content == b"no photo"


@pytest.mark.parametrize(("size", "code"), [(0, "image_empty"), (MAX_IMAGE_BYTES + 1, "image_too_large")])
def test_what_no_request_can_declare_is_refused_even_then(size: int, code: str) -> None:
    assert unfit(bytes(size), PhotoPolicy(removes_metadata=False)).code == code


@pytest.mark.parametrize("photos", ["leaf.jpg", b"bytes", None, Path("leaf.jpg"), {"leaf.jpg"}])
def test_one_photo_in_place_of_a_list_is_refused(photos: Any) -> None:
    with pytest.raises(CloudValidationError, match="list"):
        check_photos(photos)


@pytest.mark.parametrize("count", [0, 9])
def test_there_are_one_to_eight_photos(count: int) -> None:
    with pytest.raises(CloudValidationError) as caught:
        check_photos([b""] * count)
    assert caught.value.code == "image_count_invalid"


async def test_paths_bytes_and_files_are_read_alike(tmp_path: Path) -> None:
    data = encode(draw_corners(), "PNG")
    path = tmp_path / "leaf.png"
    path.write_bytes(data)
    with path.open("rb") as file:
        photos = await read_photos([path, str(path), data, file, io.BytesIO(data)], PhotoPolicy())
        assert not file.closed
    assert len({photo.sha256 for photo in photos if isinstance(photo, Photo)}) == 1


async def test_a_file_is_read_from_where_it_stands() -> None:
    file = io.BytesIO(b"head" + b"tail")
    file.seek(4)
    assert await read_contents([file]) == [b"tail"]


@pytest.mark.parametrize("source", ["/no/such/file", "/", io.StringIO("text"), 7, None])
async def test_what_cannot_be_read_is_a_validation_error(source: Any) -> None:
    with pytest.raises(CloudValidationError, match="Photo 0") as caught:
        await read_contents([source])
    assert caught.value.code == "photo_unreadable"


async def test_a_closed_file_is_a_validation_error() -> None:
    file = io.BytesIO(b"x")
    file.close()
    with pytest.raises(CloudValidationError):
        await read_contents([file])
