"""How `make bench` asks a server over HTTP, and that a refusal ends the measurement."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from loadtest.bench import peers
from loadtest.bench.answers import of_json
from loadtest.bench.load import Load
from loadtest.bench.target import TargetError, over_http

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PHOTO = b"\xff\xd8 a photo"
ANSWER = json.dumps([{"label": "scab", "confidence": 0.9}])
LOAD = Load(concurrency=2, seconds=0.2, warm_up_seconds=0)


@asynccontextmanager
async def server(response: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answers everything with `response`, or hangs up if that is empty; its address, and the bodies it got."""
    bodies: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while response:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(line for line in head.splitlines() if line.startswith("Content-Length"))
                bodies.append(await reader.readexactly(int(length.split(":")[1])))
                writer.write(response)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}", bodies
    finally:
        listening.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


def response(status: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


async def test_a_peer_gets_the_photo_in_a_form_and_its_list_is_the_answer() -> None:
    async with server(response("200 OK", ANSWER)) as (address, bodies):
        target = over_http(address, peers.requests, of_json)
        assert await target.answer(PHOTO) == [("scab", 0.9)]
        assert await target.latencies(PHOTO, LOAD)
    assert all(b'name="image"' in body and PHOTO in body for body in bodies)


async def test_a_refusal_ends_the_measurement_with_what_the_server_said() -> None:
    async with server(response("503 Service Unavailable", "too busy")) as (address, _):
        with pytest.raises(TargetError, match="answers 503: too busy"):
            await over_http(address, peers.requests, of_json).latencies(PHOTO, LOAD)


async def test_a_server_that_goes_away_ends_the_measurement() -> None:
    async with server(b"") as (address, _):
        with pytest.raises(TargetError, match="closed the connection"):
            await over_http(address, peers.requests, of_json).latencies(PHOTO, LOAD)
