"""A proxy that counts how often a client of PostgreSQL waits for the server, and can make it wait for ever."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# Messages that end with the server's ReadyForQuery (PostgreSQL, «Message Flow»): Sync and Query.
WAITED_FOR = b"SQ"
HEADER_BYTES = 5  # of each message after the first ones: a letter and a length that counts itself


@dataclass
class Counter:
    """`url` leads through the proxy."""

    url: str
    round_trips: int = 0
    is_stalled: bool = False
    stalls_at: bytes | None = None  # a word of a message, which is the first that gets no answer

    def take(self) -> int:
        """How many there were since the last time."""
        taken, self.round_trips = self.round_trips, 0
        return taken


@asynccontextmanager
async def counted(url: str) -> AsyncIterator[Counter]:
    target = urlsplit(url)
    counter = Counter("")
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(target.hostname, target.port)
        for task in (count(reader, server_writer, counter), copy(server_reader, writer)):
            tasks.add(asyncio.create_task(task))

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    counter.url = url.replace(f":{target.port}/", f":{port}/") + "?sslmode=disable"
    try:
        yield counter
    finally:
        proxy.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counter: Counter) -> None:
    try:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            length = await reader.readexactly(4)  # the startup message has no letter
            writer.write(length + await reader.readexactly(int.from_bytes(length) - 4))
            while True:
                header = await reader.readexactly(HEADER_BYTES)
                counter.round_trips += header[0] in WAITED_FOR
                content = await reader.readexactly(int.from_bytes(header[1:]) - 4)
                counter.is_stalled |= counter.stalls_at is not None and counter.stalls_at in content
                while counter.is_stalled:  # noqa: ASYNC110  (a broken network tells nobody)
                    await asyncio.sleep(0.05)
                writer.write(header + content)
                await writer.drain()
    finally:
        writer.close()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()
