"""One HTTP request and its answer, with every failure of the network as an error of ours."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2

from frond.connections import Connections, HandshakeGuard
from frond.errors import CloudInferenceError, CloudNetworkError, CloudServerError, CloudValidationError
from frond.policy.response import MAX_ANSWER_BYTES, Answer
from frond.version import __version__

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
# Kept between calls; an assessment has at most eight uploads at a time.
CONNECTIONS = httpx2.Limits(max_connections=16, max_keepalive_connections=8, keepalive_expiry=60)


@dataclass(frozen=True, slots=True)
class Wire:
    """How to reach the service; with the extra `frond[http2]` over HTTP/2, where it offers that over TLS.

    `connect_seconds` leaves time for another address or try. `tls`: for a certificate of an authority of one's own.
    `transport` is for tests.
    """

    connect_seconds: float = 3.0
    tls: ssl.SSLContext | None = None
    transport: httpx2.AsyncBaseTransport | None = None


class Exchange:
    """Connections that are kept. Follows no redirects: they would carry the token elsewhere."""

    def __init__(self, base_url: str, wire: Wire) -> None:
        url = _parsed(base_url)
        self._base_url = str(url).rstrip("/")
        http2 = importlib.util.find_spec("h2") is not None  # the extra `frond[http2]`; the server has to offer it
        trust_env = url.host not in LOOPBACK
        tls = wire.tls or httpx2.create_ssl_context(trust_env=trust_env)

        def connect() -> httpx2.AsyncClient:
            return httpx2.AsyncClient(
                headers={"User-Agent": f"frond-python/{__version__}"},
                http2=http2,
                transport=wire.transport,
                verify=tls,
                limits=CONNECTIONS,
                # The call's own deadline ends every stage; only connecting is given up earlier.
                timeout=httpx2.Timeout(None, connect=wire.connect_seconds),
                trust_env=trust_env,
            )

        self._connections = Connections(connect, are_shared=http2 and wire.transport is None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._connections.close()

    async def send(self, method: str, target: str, headers: Mapping[str, str], content: bytes) -> Answer:
        """`target`: a path below the base URL, or a URL. Raises a `CloudInferenceError` where there is no answer."""
        url = self._base_url + target if target.startswith("/") else target
        try:
            async with (
                self._connections.borrowed() as http,
                http.stream(
                    method, url, headers=dict(headers), content=content, extensions={"trace": HandshakeGuard()}
                ) as response,
            ):
                body = await _read(response)
                fields = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, fields, body)
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, RuntimeError) as error:
            raise _named(error) from error


async def _read(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise CloudServerError(
                f"The answer has more than {MAX_ANSWER_BYTES} bytes.",
                code="answer_invalid",
                status=response.status_code,
            )
    return bytes(body)


def _parsed(base_url: str) -> httpx2.URL:
    try:
        url = httpx2.URL(base_url)
    except (httpx2.InvalidURL, TypeError) as error:
        raise CloudValidationError(f"The service's URL {base_url!r} is none.", code="url_invalid") from error
    if url.scheme not in {"http", "https"} or not url.host or url.query or url.userinfo:
        raise CloudValidationError("The service's URL must be like https://host/path.", code="url_invalid")
    return url


def _named(error: Exception) -> CloudInferenceError:
    """Texts of libraries stay in `__cause__`: they may name addresses, and change with every release."""
    match error:
        case httpx2.ConnectTimeout():
            return CloudNetworkError("The service took too long to connect.", code="connect_timeout", retryable=True)
        case httpx2.ConnectError():
            return CloudNetworkError("The service cannot be reached.", code="connection_failed", retryable=True)
        case httpx2.DecodingError():
            return CloudServerError("The answer cannot be decompressed.", code="answer_invalid")
        case httpx2.InvalidURL() | httpx2.UnsupportedProtocol() | httpx2.LocalProtocolError():
            return CloudValidationError("The request cannot be sent as it is.", code="request_unsendable")
        case RuntimeError():
            return CloudValidationError("The client is closed.", code="client_closed")
        case _:
            return CloudNetworkError("The connection was lost.", code="connection_lost", retryable=True)
