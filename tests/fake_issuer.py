"""An issuer of tokens on a real port: gives its keys, and stalls, fails, redirects or gives rubbish when told to."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateways import SigningKey


class FakeIssuer:
    """Counts what it is asked. `gate` holds back answers until it is set; a trickling answer has no end."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.headers = ""
        self.body = b'{"keys": []}'
        self.asked = 0
        self.is_out = False
        self.trickles = False
        self.gate: asyncio.Event | None = None
        self.answering: set[asyncio.Task[None]] = set()

    def publish(self, *keys: SigningKey) -> None:
        self.body = document_of(*keys)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.answering.add(asyncio.create_task(self._converse(reader, writer)))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            if self.gate is not None:
                await self.gate.wait()
            if not self.is_out:
                await self._answer(writer)
        writer.close()

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {self.status} x\r\nConnection: close\r\n{self.headers}\r\n".encode())
        while self.trickles:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)
        writer.write(self.body)
        await writer.drain()


def document_of(*keys: SigningKey) -> bytes:
    return json.dumps({"keys": [key.jwk() for key in keys]}).encode()


@asynccontextmanager
async def open_issuer(*keys: SigningKey) -> AsyncIterator[FakeIssuer]:
    issuer = FakeIssuer()
    issuer.publish(*keys)
    server = await asyncio.start_server(issuer.accept, "127.0.0.1", 0)
    issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks.json"
    try:
        yield issuer
    finally:
        if issuer.gate is not None:
            issuer.gate.set()
        issuer.trickles = False
        server.close()
        await asyncio.gather(*issuer.answering)
