"""A TCP proxy that does harm: it passes everything on until a request comes that a fault is set for."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CHUNK_BYTES = 65536
FIRST_BYTES = 256  # of a request: less than any of them has
# Small, so that a large request stalls in the sender and not in the kernel's buffers.
BUFFER_BYTES = 16 * 1024
DIAGNOSIS, TICKET, PUT = b"POST /v1/ai-inference", b"POST /v1/uploads", b"PUT /"


@dataclass
class Link:
    """One connection at the moment of the fault; `first` is what has come of the request."""

    first: bytes
    client_reader: asyncio.StreamReader
    client_writer: asyncio.StreamWriter
    server_reader: asyncio.StreamReader
    server_writer: asyncio.StreamWriter
    pumps: list[asyncio.Future[None]] = field(default_factory=list)

    async def take(self, count: int) -> None:
        """Read so much of the request, and pass nothing on."""
        taken = len(self.first)
        while taken < count:
            data = await self.client_reader.read(CHUNK_BYTES)
            if not data:
                return
            taken += len(data)

    async def pass_request(self) -> None:
        """Pass all of the request on, without waiting for its end."""
        self.server_writer.write(self.first)
        self.pumps.append(asyncio.ensure_future(copy(self.client_reader, self.server_writer)))

    async def pass_reply(self, count: int) -> None:
        self.client_writer.write(await self.server_reader.readexactly(count))
        await self.client_writer.drain()

    def reset(self) -> None:
        """RST instead of FIN."""
        connection: socket.socket = self.client_writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client_writer.transport.abort()


Fault = Callable[[Link], Awaitable[None]]


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()


async def for_ever() -> None:
    await asyncio.Event().wait()


async def reset_at_once(link: Link) -> None:
    link.reset()


async def reset_in_request(link: Link) -> None:
    await link.take(len(link.first) + 1)
    link.reset()


async def stall_in_request(link: Link) -> None:
    """Nothing more is read: the sender cannot go on writing."""
    await for_ever()


async def stall_before_reply(link: Link) -> None:
    await link.pass_request()
    await for_ever()


async def reset_in_reply(link: Link) -> None:
    await link.pass_request()
    await link.pass_reply(60)
    link.reset()


async def stall_in_reply(link: Link) -> None:
    await link.pass_request()
    await link.pass_reply(60)
    await for_ever()


async def trickle_reply(link: Link) -> None:
    await link.pass_request()
    while True:
        await link.pass_reply(1)
        await asyncio.sleep(0.05)


def say(reply: bytes) -> Fault:
    """Answer this, whatever was asked."""

    async def answer(link: Link) -> None:
        link.client_writer.write(reply)
        await link.client_writer.drain()
        link.client_writer.close()

    return answer


async def flood(link: Link) -> None:
    """An answer without end."""
    link.client_writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    with suppress(ConnectionError):
        while True:
            link.client_writer.write(b" " * CHUNK_BYTES)
            await link.client_writer.drain()


@dataclass
class FaultProxy:
    """Each request that begins with `trigger` meets the next of `faults`; when there are none left, nothing happens."""

    target_port: int = 0
    port: int = 0
    trigger: bytes = DIAGNOSIS
    faults: deque[Fault] = field(default_factory=deque)
    connections: int = 0
    open_connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        replies = asyncio.ensure_future(copy(server_reader, writer))
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._requests(reader, writer, server_reader, server_writer, replies)
        finally:
            replies.cancel()
            self.open_connections -= 1
            server_writer.close()
            writer.close()

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
        replies: asyncio.Future[None],
    ) -> None:
        while data := await reader.read(FIRST_BYTES):
            if self.faults and data.startswith(self.trigger):
                replies.cancel()  # whatever was asked before is answered
                await asyncio.gather(replies, return_exceptions=True)
                link = Link(data, reader, writer, server_reader, server_writer)
                try:
                    await self.faults.popleft()(link)
                finally:
                    for pump in link.pumps:
                        pump.cancel()
                return
            server_writer.write(data)
            await server_writer.drain()


@asynccontextmanager
async def fault_proxy() -> AsyncIterator[FaultProxy]:
    proxy = FaultProxy()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(proxy.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    listener.bind(("127.0.0.1", 0))
    server = await asyncio.start_server(serve, sock=listener, limit=BUFFER_BYTES)
    proxy.port = listener.getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
