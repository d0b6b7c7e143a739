"""A TCP relay between two parts that can hold what one of them says at an exact moment, and tells the test."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

CHUNK_BYTES = 65536


@dataclass
class Trap:
    """Springs when the client has sent `request` and, unless `reply` is None, the server has answered with `reply`.

    What sprang it goes no further until `release`: with `reply` None the request itself, else the server's answer.
    """

    request: bytes
    reply: bytes | None
    sprung: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    is_taken: bool = False

    def release(self) -> None:
        self.released.set()


@dataclass
class Relay:
    """Listens on `port`; a new trap counts for what is sent after it was set."""

    host: str
    target_port: int
    port: int = 0
    trap: Trap | None = None
    replies: int = 0  # chunks that went back to clients
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(self.host, self.target_port)
        except OSError:
            writer.close()
            return
        link = Link(self)
        self._spawn(passing(link.requests(reader, server_writer), server_writer))
        self._spawn(passing(link.replies(server_reader, writer), writer))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


async def passing(pump: Coroutine[None, None, None], writer: asyncio.StreamWriter) -> None:
    """One direction; its end is passed on too."""
    try:
        with suppress(ConnectionError):
            await pump
    finally:
        writer.close()


@dataclass
class Link:
    """One connection through the relay."""

    relay: Relay
    caught: Trap | None = None

    async def requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            trap = self.relay.trap
            is_trapped = trap is not None and not trap.is_taken and trap.request in data
            if is_trapped:
                assert trap is not None
                trap.is_taken = True
                if trap.reply is None:
                    trap.sprung.set()
                    await trap.released.wait()
                else:
                    self.caught = trap
            writer.write(data)
            await writer.drain()
            if self.caught is not None and self.caught.reply == b"":
                self.caught.sprung.set()

    async def replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = b""
        while data := await reader.read(CHUNK_BYTES):
            held += data
            if self.caught is not None and not self.caught.released.is_set():
                assert self.caught.reply is not None
                if self.caught.reply not in held:
                    continue
                self.caught.sprung.set()
                await self.caught.released.wait()
            writer.write(held)
            held = b""
            self.relay.replies += 1
            await writer.drain()


@asynccontextmanager
async def relay_to(port: int, host: str = "127.0.0.1") -> AsyncIterator[Relay]:
    relay = Relay(host, port)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        for task in list(relay.tasks):
            task.cancel()
        await asyncio.gather(*relay.tasks, return_exceptions=True)
