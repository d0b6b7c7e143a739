"""A storage over HTTP: no redirects, no proxies, no cookies; address, size and time are bounded."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, TypeAlias, TypedDict, Unpack

import httpcore2

from gateway.errors import StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

    from httpcore2 import SOCKET_OPTION, AsyncNetworkStream

    Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]

# The whole of one call. A diagnosis has 5 s, and what is left after this is not enough for Triton.
CALL_SECONDS = 4.0
PATIENT_SECONDS = 30.0  # where nobody waits: 1,000 objects are removed in one call
CONNECT_SECONDS = 1.5  # of one address: another one may still answer in time
MAX_CONNECTIONS = 64
KEEP_ALIVE_SECONDS = 15  # shorter than servers keep an idle connection
MAX_ANSWER_BYTES = 4 * 1024 * 1024  # a list of 1,000 objects has 0.5 MB

HTTP_ERRORS = (
    httpcore2.NetworkError,
    httpcore2.TimeoutException,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the storage answered, as far as it was read."""

    status: int
    content: bytes


class Limits(TypedDict, total=False):
    """What one call may take: bytes of the answer, and whether it has a longer time."""

    max_bytes: int
    is_patient: bool


class Remote:
    """Speaks httpcore, below httpx: it follows, decodes and remembers nothing."""

    def __init__(self, pool: httpcore2.AsyncConnectionPool, call_seconds: float) -> None:
        self._pool = pool
        self._call_seconds = call_seconds

    async def call(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None = None,
        **limits: Unpack[Limits],
    ) -> Reply:
        """Reads no more than one piece beyond `max_bytes`. Raises `StorageUnavailableError` when there is no answer."""
        extensions = {"timeout": {"connect": CONNECT_SECONDS}}  # of each address; the whole is bounded beside it
        seconds = PATIENT_SECONDS if limits.get("is_patient") else self._call_seconds
        max_bytes = limits.get("max_bytes", MAX_ANSWER_BYTES)
        try:
            async with (
                asyncio.timeout(seconds),
                self._pool.stream(
                    method, url, headers=list(headers.items()), content=content, extensions=extensions
                ) as response,
            ):
                body = bytearray()
                async for piece in response.aiter_stream():
                    body += piece
                    if len(body) > max_bytes:
                        break
                return Reply(response.status, bytes(body))
        except (TimeoutError, OSError, *HTTP_ERRORS) as error:
            raise StorageUnavailableError("The storage of photos does not answer. Try again.") from error


class PublicNetwork(httpcore2.AsyncNetworkBackend):
    """Connects to the very address that was checked: a name that resolves to another one afterwards gains nothing."""

    def __init__(self, network: httpcore2.AsyncNetworkBackend, resolve: Resolve) -> None:
        self._network = network
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (httpcore's)
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        error: Exception = httpcore2.ConnectError(f"{host} has no public address")
        for address in filter(is_public, await self._resolve(host, port)):
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failure:
                error = failure
        raise error


async def resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(address: str) -> bool:
    """Not private, loopback, link-local, shared or reserved (RFC 6890), nor multicast."""
    parsed = ip_address(address.partition("%")[0])
    return parsed.is_global and not parsed.is_multicast


@asynccontextmanager
async def open_remote(*, allow_private: bool, call_seconds: float = CALL_SECONDS) -> AsyncIterator[Remote]:
    network = httpcore2.AnyIOBackend()
    async with httpcore2.AsyncConnectionPool(
        max_connections=MAX_CONNECTIONS,
        keepalive_expiry=KEEP_ALIVE_SECONDS,
        network_backend=network if allow_private else PublicNetwork(network, resolve),
    ) as pool:
        yield Remote(pool, call_seconds)
