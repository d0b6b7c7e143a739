"""Whatever bytes an app hands over, they are made ready or stay at home with a code of ours."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frond.policy.photos import PhotoPolicy, UnfitPhoto, prepare
from tests.unit.preprocess.photos import draw_corners, encode

PHOTOS = {
    "JPEG": encode(draw_corners(32), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0"),
    "PNG": encode(draw_corners(32), "PNG"),
    "WEBP": encode(draw_corners(32), "WEBP", xmp=b"<x/>"),
    "HEIF": encode(draw_corners(64), "HEIF", xmp=b"<x/>"),
}
POLICIES = [PhotoPolicy(), PhotoPolicy(max_bytes=10, max_side=16), PhotoPolicy(removes_metadata=False)]


def prepare_or_refuse(data: bytes, policy: PhotoPolicy) -> None:
    photo = prepare(data, policy)
    if isinstance(photo, UnfitPhoto):
        assert photo.diagnosis.error
        assert photo.code.startswith("image_")
    else:
        assert photo.declaration.bytes == len(photo.content)


@pytest.mark.parametrize("kind", PHOTOS)
@settings(max_examples=150)
@given(data=st.data())
def test_a_photo_that_was_damaged(kind: str, data: st.DataObject) -> None:
    photo = bytearray(PHOTOS[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(photo) - 1))
        end = data.draw(st.integers(start, min(len(photo), start + 8)))
        photo[start:end] = data.draw(st.binary(max_size=8))
    prepare_or_refuse(bytes(photo), data.draw(st.sampled_from(POLICIES)))


@given(data=st.binary(max_size=300), policy=st.sampled_from(POLICIES))
def test_anything(data: bytes, policy: PhotoPolicy) -> None:
    prepare_or_refuse(data, policy)
