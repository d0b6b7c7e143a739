"""The multipart form, however its bytes are cut on the way."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.diagnoses.multipart import MAX_DETAILS_BYTES, parse
from gateway.errors import (
    BodyTooLargeError,
    GatewayError,
    ImageCountError,
    ImageTooLargeError,
    MalformedRequestError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.diagnoses.protocols import Photo

CONTENT_TYPE = "multipart/form-data; boundary=frond"


def part(name: str, content: bytes, *headers: str) -> bytes:
    lines = [f'Content-Disposition: form-data; name="{name}"', *headers]
    return b"--frond\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--frond--\r\n"


async def in_pieces(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def parsed(content: bytes, size: int = 65536, content_type: str = CONTENT_TYPE) -> tuple[bytes, list[Photo]]:
    return await parse(content_type, in_pieces(content, size))


@given(photos=st.lists(st.binary(max_size=300), min_size=1, max_size=8), size=st.integers(1, 100))
async def test_photos_arrive_as_they_were_sent_wherever_the_pieces_are_cut(photos: list[bytes], size: int) -> None:
    sent = body(part("request", b"{}"), *(part("images", photo, "Content-Type: image/png") for photo in photos))
    details, received = await parsed(sent, size)
    assert details == b"{}"
    assert [photo.content for photo in received] == photos
    assert [photo.sha256 for photo in received] == [hashlib.sha256(photo).hexdigest() for photo in photos]
    assert {photo.declared_type for photo in received} == {"image/png"}


@given(content=st.binary(max_size=400), size=st.integers(1, 100))
async def test_any_bytes_end_in_photos_or_a_typed_error(content: bytes, size: int) -> None:
    try:
        details, photos = await parsed(b"--frond\r\n" + content, size)
    except GatewayError:
        return
    assert details is not None
    assert photos


async def test_the_parts_may_come_in_any_order() -> None:
    details, photos = await parsed(body(part("images", b"1"), part("request", b"{}"), part("images", b"2")))
    assert (details, [photo.content for photo in photos]) == (b"{}", [b"1", b"2"])


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", MalformedRequestError),
        (b"nothing", MalformedRequestError),
        (body(), MalformedRequestError),
        (body(part("images", b"1")), MalformedRequestError),
        (body(part("request", b"{}")), ImageCountError),
        (body(part("request", b"{}"), part("request", b"{}"), part("images", b"1")), MalformedRequestError),
        (body(part("request", b"{}"), part("other", b"1")), MalformedRequestError),
        (body(part("request", b"{}"), *[part("images", b"1")] * 9), ImageCountError),
        (body(part("request", b" " * (MAX_DETAILS_BYTES + 1))), BodyTooLargeError),
        (body(part("images", bytes(20 * 1024 * 1024 + 1))), ImageTooLargeError),
        (part("request", b"{}") + part("images", b"1"), MalformedRequestError),
        (body(part("request", b"{}"), part("images", b"1"))[:-6], MalformedRequestError),
        (body(part("request", b"{}", f"X: {'x' * 100_000}")), MalformedRequestError),
        (body(part("request", b"{}", *["X: x"] * 100)), MalformedRequestError),
    ],
    ids=[
        "empty", "no form", "no parts", "no request", "no images", "two requests", "another part", "nine photos",
        "large request", "large photo", "no end", "cut off", "long header", "many headers",
    ],
)  # fmt: skip
async def test_what_is_no_diagnosis_request_is_refused(content: bytes, error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        await parsed(content)
    assert type(raised.value) is error


@pytest.mark.parametrize("content_type", ["multipart/form-data", f"multipart/form-data; boundary={'b' * 300}"])
async def test_a_form_without_a_good_boundary_is_malformed(content_type: str) -> None:
    with pytest.raises(MalformedRequestError):
        await parsed(body(part("request", b"{}")), content_type=content_type)


async def test_a_photo_that_is_too_large_is_refused_before_its_end_came() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield part("images", b"small") + part("images", b"")[:-2]
        while True:
            sent += 1
            yield bytes(1024 * 1024)

    with pytest.raises(ImageTooLargeError, match=r"images\[1\] may have at most 20971520 bytes"):
        await parse(CONTENT_TYPE, endless())
    assert sent == 21
