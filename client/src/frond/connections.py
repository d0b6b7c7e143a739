"""HTTP connections that are kept between calls, less those on which a request was given up."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from frond import forking
from frond.errors import CloudInferenceError, CloudValidationError, closed_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    import httpx2


@dataclass(slots=True)
class _Pool:
    http: httpx2.AsyncClient
    borrowers: int = 0


_left_behind: list[_Pool] = []  # by the parents of this process


class Connections:
    """`make` gives a client with connections of its own. They belong to one event loop, and another gets others.

    HTTP/1.1 ends a request that is given up by closing its connection. Where requests share one (`are_shared`: HTTP/2),
    the library keeps it and does not tell the server, which goes on with the request; and where a dead network made
    the caller give up, the next call would wait on the same connection. So later requests get others, and the old ones
    are closed when the requests that share them are over.
    """

    def __init__(self, make: Callable[[], httpx2.AsyncClient], *, are_shared: bool) -> None:
        self._make = make
        self._are_shared = are_shared
        self._pool: _Pool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        forking.tell_in_child(self)

    def after_fork(self) -> None:
        """The connections are the parent's, which would notice it if they were ended here."""
        if self._pool is not None:
            _left_behind.append(self._pool)
        self._pool = self._loop = None

    @asynccontextmanager
    async def borrowed(self) -> AsyncIterator[httpx2.AsyncClient]:
        """For one request."""
        pool = self._of_this_loop()
        pool.borrowers += 1
        try:
            yield pool.http
        except (asyncio.CancelledError, CloudInferenceError):  # the latter: of an answer that was not read to its end
            if self._are_shared and pool is self._pool and not pool.http.is_closed:
                self._pool = _Pool(self._make())
            raise
        finally:
            pool.borrowers -= 1
            if pool is not self._pool and not pool.borrowers:
                await pool.http.aclose()

    async def close(self) -> None:
        self._is_closed = True
        if self._pool is not None and self._loop is asyncio.get_running_loop():
            await self._pool.http.aclose()

    def _of_this_loop(self) -> _Pool:
        if self._is_closed:
            raise closed_error()
        loop = asyncio.get_running_loop()
        if self._pool is not None and self._loop is loop:
            return self._pool
        if self._loop is not None and not self._loop.is_closed():
            message = "Another event loop, which is not closed, uses this client; make one for each."
            raise CloudValidationError(message, code="client_in_use")
        self._pool, self._loop = _Pool(self._make()), loop
        return self._pool


class HandshakeGuard:
    """A `trace` of httpx2 that closes a connection whose TLS handshake is cancelled, which the library leaves open."""

    _connection: Any = None

    async def __call__(self, event: str, details: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            self._connection = details["return_value"]
        elif event == "connection.start_tls.failed":
            await self._connection.aclose()
