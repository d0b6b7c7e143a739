"""How many bytes of request bodies and photos this process holds at once, over all requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from gateway.errors import OverloadedError

if TYPE_CHECKING:
    from prometheus_client import Gauge


class Memory:
    """Beyond the limit a request is refused, and may be sent again, before the kernel ends the process."""

    def __init__(self, max_bytes: int, gauge: Gauge | None = None) -> None:
        self._max_bytes = max_bytes
        self._held_bytes = 0
        if gauge is not None:
            gauge.set_function(lambda: self._held_bytes)

    def take(self, size_bytes: int) -> None:
        """Raises `OverloadedError` when there is not so much left."""
        if self._held_bytes + size_bytes > self._max_bytes:
            raise OverloadedError("Too many photos are being worked on. Try again.")
        self._held_bytes += size_bytes

    def give_back(self, size_bytes: int) -> None:
        self._held_bytes -= size_bytes


class Share:
    """What one request holds."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._held_bytes = 0

    def take(self, size_bytes: int) -> None:
        self._memory.take(size_bytes)
        self._held_bytes += size_bytes

    def end(self) -> None:
        self._memory.give_back(self._held_bytes)
        self._held_bytes = 0


async def share(request: Request) -> AsyncIterator[Share]:
    """A dependency of every route that reads a body; what it took is given back when the request ends."""
    held = Share(request.state.memory)
    try:
        yield held
    finally:
        held.end()


RequestShare = Annotated[Share, Depends(share)]
