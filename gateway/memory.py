"""How many bytes of request bodies and photos this process holds at once, over all requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from frond.types import MAX_IMAGE_BYTES, MAX_IMAGES
from gateway.auth.protocols import Caller
from gateway.errors import OverloadedError

if TYPE_CHECKING:
    from uuid import UUID

    from prometheus_client import Gauge


MAX_REQUEST_BYTES = MAX_IMAGES * MAX_IMAGE_BYTES + 1024 * 1024  # the photos, and what stands around them


class Memory:
    """Beyond the limits a request is refused, and may be sent again, before the kernel ends the process.

    One user has room for one request of the largest size; by default three such fit.
    """

    def __init__(self, max_bytes: int, gauge: Gauge | None = None, max_user_bytes: int = MAX_REQUEST_BYTES) -> None:
        self._max_bytes = max_bytes
        self._max_user_bytes = max_user_bytes
        self._held_bytes = 0
        self._held_by: defaultdict[UUID, int] = defaultdict(int)
        if gauge is not None:
            gauge.set_function(lambda: self._held_bytes)

    def take(self, size_bytes: int, user_id: UUID | None) -> None:
        """Raises `OverloadedError` when there is not so much left."""
        if self._held_bytes + size_bytes > self._max_bytes:
            raise OverloadedError("Too many photos are being worked on. Try again.")
        if user_id is not None:
            if self._held_by[user_id] + size_bytes > self._max_user_bytes:
                raise OverloadedError("Too many photos of this user are being worked on. Try again.")
            self._held_by[user_id] += size_bytes
        self._held_bytes += size_bytes

    def give_back(self, size_bytes: int, user_id: UUID | None) -> None:
        self._held_bytes -= size_bytes
        if user_id is not None:
            self._held_by[user_id] -= size_bytes
            if not self._held_by[user_id]:
                del self._held_by[user_id]


class Share:
    """What one request holds; nobody's, where a signature stands for the token: those take little."""

    def __init__(self, memory: Memory, user_id: UUID | None = None) -> None:
        self._memory = memory
        self._user_id = user_id
        self._held_bytes = 0

    def take(self, size_bytes: int) -> None:
        self._memory.take(size_bytes, self._user_id)
        self._held_bytes += size_bytes

    def end(self) -> None:
        self._memory.give_back(self._held_bytes, self._user_id)
        self._held_bytes = 0


async def share(request: Request) -> AsyncIterator[Share]:
    """A dependency of every route that reads a body; what it took is given back when the request ends."""
    identity = getattr(request.state, "identity", None)
    held = Share(request.state.memory, identity.user_id if isinstance(identity, Caller) else None)
    try:
        yield held
    finally:
        held.end()


RequestShare = Annotated[Share, Depends(share)]
