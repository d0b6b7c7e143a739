"""What arrives on a connection before there is a request, or instead of one."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import TYPE_CHECKING

import pytest

from gateway.connection import MAX_HEAD_BYTES, MAX_HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.gateways import Gateway

GET = b"GET /health/live HTTP/1.1\r\nHost: here\r\n"
CHUNKED = b"POST /v1/uploads HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
PIECE_BYTES = 4096


async def exchange(gateway: Gateway, sent: Iterable[bytes]) -> tuple[bytes, int]:
    """All that comes back until the gateway closes, and how many bytes it took before."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.client.base_url.port)
    taken = 0
    try:
        for piece in sent:
            writer.write(piece)
            await writer.drain()
            taken += len(piece)
            await asyncio.sleep(0)
    except ConnectionError:
        pass
    try:
        return await asyncio.wait_for(reader.read(), 10), taken
    except ConnectionError:
        return b"", taken
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("start", "endless"),
    [(GET, b"a: b\r\n" * 500), (GET + b"a: ", b"b" * PIECE_BYTES), (b"GET /", b"a" * PIECE_BYTES)],
    ids=["many headers", "a long header", "a long path"],
)
async def test_headers_without_end_are_cut_off(gateway: Gateway, start: bytes, endless: bytes) -> None:
    _, taken = await exchange(gateway, itertools.chain([start], itertools.repeat(endless, 10_000)))
    assert taken < 10_000 * len(endless)


async def test_headers_that_are_too_large_are_refused_in_the_envelope(gateway: Gateway) -> None:
    pieces = [GET + b"a: ", *[b"b" * PIECE_BYTES] * (MAX_HEAD_BYTES // PIECE_BYTES)]
    answer, _ = await exchange(gateway, pieces)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"]["code"] == "header_invalid"


async def test_more_headers_than_a_hundred_are_refused_in_the_envelope(gateway: Gateway) -> None:
    answer, _ = await exchange(gateway, [GET + b"a:\r\n" * MAX_HEADERS, b"\r\n"])
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "header_invalid"


async def test_trailers_without_end_are_cut_off(gateway: Gateway) -> None:
    start = CHUNKED + b"Authorization: Bearer " + gateway.key.token().encode() + b"\r\n\r\n2\r\n{}\r\n0\r\n"
    _, taken = await exchange(gateway, itertools.chain([start], itertools.repeat(b"a: b\r\n" * 500, 10_000)))
    assert taken < 10_000 * 3000


async def test_a_token_in_a_trailer_is_none(gateway: Gateway) -> None:
    trailer = b"Authorization: Bearer " + gateway.key.token().encode()
    request = CHUNKED + b"Connection: close\r\n\r\n2\r\n{}\r\n0\r\n" + trailer + b"\r\n\r\n"
    answer, _ = await exchange(gateway, [request])
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"token_missing" in answer


@pytest.mark.parametrize("sent", [b"GET / HTTP/9\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"])
async def test_what_is_no_http_is_answered_in_the_envelope(gateway: Gateway, sent: bytes) -> None:
    answer, _ = await exchange(gateway, [sent])
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head
    assert json.loads(body)["error"]["code"] == "request_malformed"
