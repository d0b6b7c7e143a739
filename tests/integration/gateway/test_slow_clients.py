"""A client that sends, reads or ends too slowly, or is one too many, holds nothing for long."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import uvicorn

from gateway.connection import MAX_PIPELINED, Connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

LARGE_BYTES = 64 * 1024 * 1024  # more than the kernel's buffers of both ends hold
HEAD = b"GET /%s HTTP/1.1\r\nHost: here\r\n"
GET = HEAD % b"" + b"\r\n"


class Impatient(Connection):
    """The same with less patience."""

    head_seconds = 0.4
    rest_seconds = 0.4
    read_seconds = 0.4
    look_seconds = 0.05


class App:
    """Answers at once, after a while, or at length, by the path."""

    def __init__(self) -> None:
        self.answered = 0
        self.gate = asyncio.Event()

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["path"] == "/wait":
            await self.gate.wait()
        body = bytes(LARGE_BYTES if scope["path"] == "/large" else 2)
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        self.answered += 1


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
async def server(app: App) -> AsyncIterator[uvicorn.Server]:
    config = uvicorn.Config(
        app, port=0, http=Impatient, lifespan="off", log_config=None, ws="none", limit_concurrency=12,
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    yield server
    app.gate.set()
    await server.shutdown()


@asynccontextmanager
async def connected(server: uvicorn.Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.servers[0].sockets[0].getsockname()[1])
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def rest_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the end of the connection, which must come."""
    try:
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return b""


async def until_gone(server: uvicorn.Server) -> None:
    async with asyncio.timeout(10):
        while server.server_state.connections:  # noqa: ASYNC110  (uvicorn tells nobody)
            await asyncio.sleep(0.02)


async def trickle(writer: asyncio.StreamWriter, piece: bytes) -> None:
    """Slowly, for as long as it is let."""
    async with asyncio.timeout(10):
        while not writer.transport.is_closing():
            writer.write(piece)
            await asyncio.sleep(0.05)


def code_of(answer: bytes) -> str:
    code: str = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"]
    return code


async def test_who_says_nothing_is_let_go(server: uvicorn.Server) -> None:
    async with connected(server) as (reader, _):
        assert await rest_of(reader) == b""


@pytest.mark.parametrize(
    ("start", "piece"),
    [(b"", b"G"), (GET[:-2], b"a: b\r\n"), (HEAD % b"" + b"a: ", b"b")],
    ids=["method", "fields", "value"],
)
async def test_headers_that_trickle_are_refused_in_the_envelope(
    server: uvicorn.Server, start: bytes, piece: bytes
) -> None:
    async with connected(server) as (reader, writer):
        writer.write(start)
        trickling = asyncio.create_task(trickle(writer, piece))
        answer = await asyncio.wait_for(reader.readuntil(b"}}"), 10)
        assert code_of(answer) in {"header_invalid", "request_malformed"}
        trickling.cancel()
    await until_gone(server)


async def test_line_ends_instead_of_a_request_do_not_keep_a_connection(server: uvicorn.Server) -> None:
    async with connected(server) as (reader, writer):
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        trickling = asyncio.create_task(trickle(writer, b"\r\n"))
        await until_gone(server)
        trickling.cancel()


async def test_a_body_that_goes_on_after_its_answer_is_cut_off(server: uvicorn.Server) -> None:
    async with connected(server) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 1000000\r\n\r\n")
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200 ")
        trickling = asyncio.create_task(trickle(writer, b"x"))
        await until_gone(server)
        trickling.cancel()


@pytest.mark.parametrize("field", [b"", b"Connection: close\r\n"], ids=["kept alive", "closing"])
async def test_who_does_not_read_a_long_answer_is_cut_off(server: uvicorn.Server, field: bytes) -> None:
    async with connected(server) as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(HEAD % b"large" + field + b"\r\n")
        await asyncio.sleep(0.1)
        assert server.server_state.connections
        await until_gone(server)


async def test_who_reads_slowly_but_steadily_gets_all_of_it(server: uvicorn.Server) -> None:
    async with connected(server) as (reader, writer):
        writer.write(HEAD % b"large" + b"Connection: close\r\n\r\n")
        taken = 0
        while piece := await asyncio.wait_for(reader.read(4 * 1024 * 1024), 10):
            taken += len(piece)
            await asyncio.sleep(0.01)
        assert taken > LARGE_BYTES


async def test_more_pipelined_requests_than_a_few_end_the_connection(server: uvicorn.Server, app: App) -> None:
    async with connected(server) as (reader, writer):
        writer.write(HEAD % b"wait" + b"\r\n" + GET * 10_000)
        assert await rest_of(reader) == b""
        app.gate.set()
    await until_gone(server)
    assert app.answered <= 1 + MAX_PIPELINED


async def test_a_few_pipelined_requests_are_answered_in_turn(server: uvicorn.Server) -> None:
    async with connected(server) as (reader, writer):
        writer.write(GET * 5 + HEAD % b"" + b"Connection: close\r\n\r\n")
        assert (await rest_of(reader)).count(b"HTTP/1.1 200 ") == 6


async def test_one_connection_too_many_is_told_so_in_the_envelope(server: uvicorn.Server) -> None:
    async with asyncio.timeout(10):
        opened = []
        for _ in range(13):
            opened.append(await asyncio.open_connection(*server.servers[0].sockets[0].getsockname()))
            opened[-1][1].write(HEAD % b"wait" + b"\r\n")
            await asyncio.sleep(0.01)
        reader, writer = opened[-1]
        answer = await rest_of(reader)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in answer.lower()
    assert code_of(answer) == "overloaded"
    for _, writer in opened:
        writer.transport.abort()


@pytest.mark.parametrize("sent", [b"", GET, GET[:-2]], ids=["nothing", "an answered request", "half a request"])
async def test_who_holds_connections_and_asks_for_nothing_keeps_nobody_out(
    server: uvicorn.Server, app: App, sent: bytes
) -> None:
    async with asyncio.timeout(10), AsyncExitStack() as stack:
        worker, writer = await stack.enter_async_context(connected(server))
        writer.write(HEAD % b"wait" + b"\r\n")
        for _ in range(30):
            _, writer = await stack.enter_async_context(connected(server))
            writer.write(sent)
            await asyncio.sleep(0.005)
        reader, writer = await stack.enter_async_context(connected(server))
        writer.write(GET)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        app.gate.set()
        assert (await worker.readline()).startswith(b"HTTP/1.1 200 ")


async def test_a_flood_of_connections_is_bounded(server: uvicorn.Server) -> None:
    address = server.servers[0].sockets[0].getsockname()
    opened = [await asyncio.open_connection(*address) for _ in range(60)]
    await asyncio.sleep(0.02)
    assert len(server.server_state.connections) <= 12 + 10 + 1
    for _, writer in opened:
        writer.transport.abort()


async def test_a_body_is_asked_for_where_the_client_waits_to_be(server: uvicorn.Server) -> None:
    """This application reads none: it answers, and the connection ends, for the client need not send it any more."""
    async with connected(server) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        answer = await rest_of(reader)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer
