"""How often a client of PostgreSQL waits for the server, counted on the wire."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# Messages that end with the server's ReadyForQuery (PostgreSQL, «Message Flow»): Sync and Query.
WAITED_FOR = b"SQ"
HEADER_BYTES = 5  # of each message after the first one: a letter and a length that counts itself
CHUNK_BYTES = 65536


@dataclass
class RoundTrips:
    """`url` leads to the database through the relay that counts."""

    url: str = ""
    count: int = 0

    async def passing(self, header: bytes, content: bytes) -> None:  # noqa: ARG002  (of use to who inherits)
        """A message of the client, before it goes on."""
        self.count += header[0] in WAITED_FOR

    def take(self) -> int:
        """How many there were since the last time."""
        taken, self.count = self.count, 0
        return taken


CounterT = TypeVar("CounterT", bound=RoundTrips)


@asynccontextmanager
async def counted(database_url: str, counter: CounterT) -> AsyncIterator[CounterT]:
    target = urlsplit(database_url)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(target.hostname, target.port)
        for pump in (count(reader, server_writer, counter), copy(server_reader, writer)):
            tasks.add(asyncio.create_task(pump))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    counter.url = database_url.replace(f":{target.port}/", f":{port}/") + "?sslmode=disable"
    try:
        yield counter
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counter: RoundTrips) -> None:
    try:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            length = await reader.readexactly(4)  # the first message has no letter
            writer.write(length + await reader.readexactly(int.from_bytes(length) - 4))
            while True:
                header = await reader.readexactly(HEADER_BYTES)
                content = await reader.readexactly(int.from_bytes(header[1:]) - 4)
                await counter.passing(header, content)
                writer.write(header + content)
                await writer.drain()
    finally:
        writer.close()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK_BYTES):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()
