"""What comes compressed is unpacked under a cap, and what goes is compressed as it was asked for."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BodyTooLargeError, MalformedRequestError, UnsupportedBodyError
from gateway.protocol import compression
from gateway.protocol.compression import BLOCK_BYTES, in_pieces, looks_packed, pack, unpack, wanted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

MAX_BYTES = 4 * BLOCK_BYTES
PACKERS: list[Callable[[bytes], bytes]] = [gzip.compress, zlib.compress]


def unpacked(content: bytes, max_bytes: int = MAX_BYTES) -> tuple[bytes, int]:
    """And how many bytes were announced."""
    taken: list[int] = []
    return asyncio.run(unpack(in_pieces(content), max_bytes, taken.append)), sum(taken)


@given(content=st.binary(max_size=2000), times=st.sampled_from([1, 60, 2000]), packer=st.sampled_from(PACKERS))
def test_what_was_packed_is_unpacked_and_counted(content: bytes, times: int, packer: Callable[[bytes], bytes]) -> None:
    assert unpacked(packer(content * times)) == (content * times, len(content) * times)


@pytest.mark.parametrize("size", [BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, MAX_BYTES])
def test_a_content_of_whole_blocks_comes_whole(size: int) -> None:
    assert unpacked(gzip.compress(bytes(size)))[1] == size


@pytest.mark.parametrize("packer", PACKERS)
def test_a_bomb_is_given_up_one_block_beyond_the_limit(packer: Callable[[bytes], bytes]) -> None:
    taken: list[int] = []
    with pytest.raises(BodyTooLargeError):
        asyncio.run(unpack(in_pieces(packer(bytes(256 * 1024 * 1024))), MAX_BYTES, taken.append))
    assert MAX_BYTES < sum(taken) <= MAX_BYTES + BLOCK_BYTES


def test_where_there_is_no_room_for_a_block_no_other_is_unpacked() -> None:
    taken: list[int] = []

    def take(size: int) -> None:
        taken.append(size)
        raise MemoryError

    with pytest.raises(MemoryError):
        asyncio.run(unpack(in_pieces(gzip.compress(bytes(MAX_BYTES))), MAX_BYTES, take))
    assert taken == [BLOCK_BYTES]


@pytest.mark.parametrize(
    "content",
    [b"", gzip.compress(b"leaf")[:-1], gzip.compress(b"leaf") + b"x", gzip.compress(b"leaf") * 2, b"\x1fno", b"{}"],
)
def test_what_is_cut_off_damaged_or_followed_by_more_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        unpacked(content)


@given(content=st.binary(max_size=200))
def test_any_bytes_are_unpacked_or_refused(content: bytes) -> None:
    try:
        unpacked(content)
    except MalformedRequestError:
        return


@pytest.mark.parametrize("packer", PACKERS)
def test_a_packed_message_is_told_from_one_of_the_protocol(packer: Callable[[bytes], bytes]) -> None:
    assert looks_packed(packer(b"leaf"))
    assert not looks_packed(b"")
    assert not any(looks_packed(bytes([field << 3 | kind])) for field in range(1, 15) for kind in range(6))


@pytest.mark.parametrize(("header", "expected"), [("gzip", True), (" Deflate", True), ("identity", False)])
def test_codings_have_names(header: str, expected: bool) -> None:
    assert compression.is_packed(header) is expected


@pytest.mark.parametrize("header", ["br", "gzip, gzip", "gzip,deflate", "*", ""])
def test_a_coding_that_is_not_known_is_refused(header: str) -> None:
    with pytest.raises(UnsupportedBodyError):
        compression.is_packed(header)


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("deflate, gzip", "gzip"),
        ("gzip;q=0.5, Deflate ; q=0.8", "deflate"),
        ("gzip;q=0, deflate;q=0.0", None),
        ("gzip;q=many", None),
        ("br, zstd", None),
        ("", None),
    ],
)
def test_the_coding_that_weighs_most_is_taken(accepted: str, expected: str | None) -> None:
    assert wanted(accepted, 10_000) == expected
    assert wanted(accepted, 100) is None


@pytest.mark.parametrize(("coding", "opened"), [("gzip", gzip.decompress), ("deflate", zlib.decompress)])
async def test_an_answer_is_packed_as_its_name_says(coding: Any, opened: Callable[[bytes], bytes]) -> None:
    assert opened(await pack(b"leaf" * 1000, coding)) == b"leaf" * 1000


async def test_small_pieces_are_put_together() -> None:
    async def bytewise() -> AsyncIterator[bytes]:
        for byte in gzip.compress(b"leaf" * 100):
            yield bytes([byte])

    assert await unpack(bytewise(), MAX_BYTES, lambda _: None) == b"leaf" * 100
