"""A photo storage whose outages are noted, whatever kind it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import StorageUnavailableError

if TYPE_CHECKING:
    from frond.types import UploadTicket
    from gateway.outage import Outage
    from gateway.uploads.protocols import ObjectPath, PhotoStorage


class WatchedStorage:
    """Notices when it is used: it is not asked for the sake of knowing, and takes no part in readiness.

    Photos that come with the request need no storage, and what takes all gateways out of the load balancer for it would
    take those requests with it.
    """

    def __init__(self, storage: PhotoStorage, outage: Outage) -> None:
        self._storage = storage
        self._outage = outage
        self._tickets_ask = False  # only Supabase signs its tickets itself: of others they prove nothing

    async def ticket(self, path: ObjectPath, size_bytes: int) -> UploadTicket:
        try:
            ticket = await self._storage.ticket(path, size_bytes)
        except StorageUnavailableError as error:
            self._tickets_ask = True
            self._outage.begin(error.__cause__ or error)
            raise
        if self._tickets_ask:
            self._outage.end()
        return ticket

    def locate(self, url: str) -> ObjectPath | None:
        return self._storage.locate(url)

    def verify(self, path: ObjectPath, url: str) -> None:
        self._storage.verify(path, url)

    async def read(self, path: ObjectPath, max_bytes: int) -> bytes | None:
        try:
            content = await self._storage.read(path, max_bytes)
        except StorageUnavailableError as error:
            self._outage.begin(error.__cause__ or error)
            raise
        self._outage.end()
        return content

    async def expire(self, older_than_seconds: float) -> int:
        """A failure need not be an outage: to list and to delete takes other rights. The cleanup logs it."""
        removed = await self._storage.expire(older_than_seconds)
        self._outage.end()
        return removed

    async def check(self) -> str | None:
        """For readiness: what is not well although requests are answered."""
        return "does not answer; photos that come with the request need none" if self._outage.is_on else None
