"""Fetching from a storage that redirects, lies about size, is slow, breaks off, or is not where it should be."""

from __future__ import annotations

import asyncio
import gzip
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpcore2
import pytest

from gateway.errors import StorageUnavailableError
from gateway.uploads.protocols import ObjectPath
from gateway.uploads.remote import PublicNetwork, is_public, open_remote, resolve
from gateway.uploads.s3 import S3Storage
from gateway.uploads.secret_files import SecretFiles
from tests.gateways import ALICE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from httpcore2 import AsyncNetworkStream

    Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]

ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    """Answers every request with the same bytes, and counts what it was asked and how far it got."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[bytes] = []
        self.was_cut_off = asyncio.Event()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            await self._answer(writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            self.was_cut_off.set()
        finally:
            writer.close()


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Server]:
    server = Server(answer)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/photo"
    try:
        yield server
    finally:
        listener.close()


def saying(content: bytes) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(content)

    return answer


async def endlessly(writer: asyncio.StreamWriter) -> None:
    writer.write(ENDLESS)
    while True:
        writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        await writer.drain()


async def drop_by_drop(writer: asyncio.StreamWriter) -> None:
    writer.write(ENDLESS)
    while True:
        writer.write(b"1\r\nx\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


async def silently(_writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def test_a_redirect_is_not_followed() -> None:
    async with (
        serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")) as inside,
        serving(
            saying(f"HTTP/1.1 302 Found\r\nLocation: {inside.url}\r\nContent-Length: 0\r\n\r\n".encode())
        ) as server,
        open_remote(allow_private=True) as remote,
    ):
        assert (await remote.call("GET", server.url, {})).status == 302
        assert not inside.asked


async def test_a_bucket_that_redirects_is_no_storage(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("x")
    keys = SecretFiles(tmp_path / "key", tmp_path / "key")
    answer = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"
    async with serving(saying(answer)) as server, open_remote(allow_private=True) as remote:
        storage = S3Storage(remote, server.url, "photos", "us-east-1", keys)
        with pytest.raises(StorageUnavailableError):
            await storage.read(ObjectPath(ALICE, "0" * 64, "image/png"), 100)
        assert len(server.asked) == 1


async def test_an_answer_without_end_is_cut_off_at_the_cap() -> None:
    async with serving(endlessly) as server, open_remote(allow_private=True) as remote:
        reply = await remote.call("GET", server.url, {}, max_bytes=100_000)
        assert 100_000 < len(reply.content) < 400_000
        await asyncio.wait_for(server.was_cut_off.wait(), 10)


async def test_a_compressed_answer_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(10_000_000))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    async with serving(saying(head + bomb)) as server, open_remote(allow_private=True) as remote:
        assert (await remote.call("GET", server.url, {})).content == bomb


@pytest.mark.parametrize("answer", [drop_by_drop, silently])
async def test_a_slow_storage_is_not_waited_for(answer: Answer) -> None:
    async with serving(answer) as server, open_remote(allow_private=True, call_seconds=0.5) as remote:
        started = time.monotonic()
        with pytest.raises(StorageUnavailableError):
            await remote.call("GET", server.url, {})
        assert time.monotonic() - started < 10


async def test_the_callers_deadline_ends_a_fetch_before_its_own() -> None:
    async with serving(drop_by_drop) as server, open_remote(allow_private=True, call_seconds=60) as remote:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await remote.call("GET", server.url, {})
        await asyncio.wait_for(server.was_cut_off.wait(), 10)


@pytest.mark.parametrize(
    "content",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"],
    ids=["nothing", "no HTTP", "half of it"],
)
async def test_a_broken_answer_is_no_answer(content: bytes) -> None:
    async with serving(saying(content)) as server, open_remote(allow_private=True) as remote:
        with pytest.raises(StorageUnavailableError):
            await remote.call("GET", server.url, {})


async def test_nobody_listening_is_no_answer() -> None:
    async with serving(silently) as server:
        pass
    async with open_remote(allow_private=True) as remote:
        with pytest.raises(StorageUnavailableError):
            await remote.call("GET", server.url, {})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433"])  # noqa: S104
async def test_a_private_storage_is_not_reached_unless_it_is_allowed(host: str) -> None:
    async with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as server:
        url = server.url.replace("127.0.0.1", host)
        async with open_remote(allow_private=False) as remote:
            with pytest.raises(StorageUnavailableError):
                await remote.call("GET", url, {})
        assert not server.asked


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
    ],
)
def test_which_addresses_are_public(address: str, expected: bool) -> None:
    assert is_public(address) is expected


async def test_a_name_is_resolved_to_its_addresses() -> None:
    assert "127.0.0.1" in await resolve("localhost", 80)


class Network(httpcore2.AsyncNetworkBackend):
    """Notes where it was to connect to, and does not."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def connect_tcp(self, host: str, *_place: Any, **_options: Any) -> AsyncNetworkStream:
        self.asked.append(host)
        raise httpcore2.ConnectError("it is a test")


async def test_the_address_that_was_checked_is_the_one_that_is_connected_to() -> None:
    answers = iter([["10.0.0.1", "93.184.215.14", "93.184.215.15"], ["127.0.0.1"]])

    async def rebinding(_host: str, _port: int) -> list[str]:
        return next(answers)

    network = Network()
    with pytest.raises(httpcore2.ConnectError):
        await PublicNetwork(network, rebinding).connect_tcp("storage.test", 443)
    assert network.asked == ["93.184.215.14", "93.184.215.15"]
