"""A client of HTTP/1.1 that costs next to nothing, so that what is measured is the server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

BOUNDARY = "frond-loadtest"
HEAD_END = b"\r\n\r\n"
LENGTH = b"\r\ncontent-length: "  # and not Inference-Header-Content-Length


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """Status, head as it came, and body."""

    status: int
    head: bytes
    body: bytes


class HttpConnection:
    """One connection, kept open; one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, address: str) -> HttpConnection:
        host, _, port = address.rpartition(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def send(self, request: bytes) -> HttpResponse:
        """The answer to a request as `post` makes it. The server says how long it is: no chunks, no interim answers."""
        self._writer.write(request)
        head = (await self._reader.readuntil(HEAD_END)).lower()
        start = head.index(LENGTH) + len(LENGTH)
        length = int(head[start : head.index(b"\r", start)])
        return HttpResponse(int(head[9:12]), head, await self._reader.readexactly(length))

    def close(self) -> None:
        self._writer.close()


def post(path: str, headers: dict[str, str], content_type: str, body: bytes) -> bytes:
    lines = {**headers, "Host": "localhost", "Content-Type": content_type, "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def form(details: bytes, photo: bytes) -> tuple[str, bytes]:
    """Content type and body of the multipart form with one photo."""
    parts = [
        (b'name="request"', b"application/json", details),
        (b'name="images"; filename="leaf.jpg"', b"image/jpeg", photo),
    ]
    boundary = BOUNDARY.encode()
    body = b"".join(
        b"--%b\r\nContent-Disposition: form-data; %b\r\nContent-Type: %b\r\n\r\n%b\r\n"
        % (boundary, name, kind, content)
        for name, kind, content in parts
    )
    return f"multipart/form-data; boundary={BOUNDARY}", body + b"--%b--\r\n" % boundary
