"""What requests hold of this process at once: bytes of bodies and photos, and each user's number of requests."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Self

from frond.types import MAX_IMAGE_BYTES, MAX_IMAGES
from gateway.errors import OverloadedError

if TYPE_CHECKING:
    from uuid import UUID

    from prometheus_client import Gauge


MAX_REQUEST_BYTES = MAX_IMAGES * MAX_IMAGE_BYTES + 1024 * 1024  # the photos, and what stands around them
# A phone has one or two under way. A fifth of the connections that a process has room for by default.
MAX_USER_REQUESTS = 200


class Memory:
    """Beyond the limits a request is refused, and may be sent again, before the kernel ends the process.

    One user has room for one request of the largest size; by default three such fit.
    """

    def __init__(
        self,
        max_bytes: int,
        gauge: Gauge | None = None,
        max_user_bytes: int = MAX_REQUEST_BYTES,
        max_user_requests: int = MAX_USER_REQUESTS,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_user_bytes = max_user_bytes
        self._max_user_requests = max_user_requests
        self._held_bytes = 0
        self._held_by: defaultdict[UUID, int] = defaultdict(int)
        self._requests_of: defaultdict[UUID, int] = defaultdict(int)
        if gauge is not None:
            gauge.set_function(lambda: self._held_bytes)

    def begin(self, user_id: UUID) -> None:
        """Raises `OverloadedError` for a user with too many requests under way."""
        if self._requests_of[user_id] >= self._max_user_requests:
            raise OverloadedError(f"At most {self._max_user_requests} requests of a user at once. Try again.")
        self._requests_of[user_id] += 1

    def take(self, size_bytes: int, user_id: UUID) -> None:
        """Raises `OverloadedError` when there is not so much left."""
        if self._held_bytes + size_bytes > self._max_bytes:
            raise OverloadedError("Too many photos are being worked on. Try again.")
        if self._held_by[user_id] + size_bytes > self._max_user_bytes:
            raise OverloadedError("Too many photos of this user are being worked on. Try again.")
        self._held_by[user_id] += size_bytes
        self._held_bytes += size_bytes

    def end(self, held_bytes: int, user_id: UUID) -> None:
        self._held_bytes -= held_bytes
        for counts, amount in ((self._held_by, held_bytes), (self._requests_of, 1)):
            counts[user_id] -= amount
            if counts[user_id] <= 0:
                del counts[user_id]


class Share:
    """What one request holds, while it is entered."""

    def __init__(self, memory: Memory, user_id: UUID) -> None:
        self._memory = memory
        self._user_id = user_id
        self._held_bytes = 0

    def __enter__(self) -> Self:
        self._memory.begin(self._user_id)
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.end(self._held_bytes, self._user_id)

    def take(self, size_bytes: int) -> None:
        self._memory.take(size_bytes, self._user_id)
        self._held_bytes += size_bytes
