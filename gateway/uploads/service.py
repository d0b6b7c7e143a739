"""Tickets for uploads, and uploaded photos for the diagnosis."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gateway.errors import (
    ImageHashMismatchError,
    ImageNotUploadedError,
    ImageSizeMismatchError,
    ImageUrlForeignError,
    ObjectForbiddenError,
    StorageUnavailableError,
)
from gateway.threads import off_loop_if_large
from gateway.uploads.protocols import ObjectPath

if TYPE_CHECKING:
    from frond.types import UploadRequest, UploadTicket
    from gateway.auth.protocols import Caller
    from gateway.metrics import Metrics
    from gateway.rates import UserRate
    from gateway.uploads.protocols import PhotoStorage


class UploadService:
    """Fills the diagnosis service's `PhotoSource` too. Knows no kind of storage."""

    def __init__(self, storage: PhotoStorage, metrics: Metrics, tickets: UserRate) -> None:
        self._storage = storage
        self._uploads = metrics.uploads
        self._tickets = tickets

    async def ticket(self, caller: Caller, upload: UploadRequest) -> UploadTicket:
        """Raises `RateLimitedError` for a user who asks for more than the diagnoses of its rate need."""
        self._tickets.charge(caller.user_id)
        path = ObjectPath(caller.user_id, upload.sha256, upload.content_type)
        try:
            ticket = await self._storage.ticket(path, upload.bytes)
        except StorageUnavailableError:
            self._uploads.labels("failed").inc()
            raise
        self._uploads.labels("issued").inc()
        return ticket

    def check_owner(self, caller: Caller, url: str, sha256: str) -> None:
        self._own_path(caller, url, sha256)

    async def load(self, caller: Caller, url: str, sha256: str, size_bytes: int) -> bytes:
        """Whatever a storage enforced at the upload, the photo is what it was announced as or it is not used."""
        path = self._own_path(caller, url, sha256)
        self._storage.verify(path, url)
        content = await self._storage.read(path, size_bytes)
        if content is None:
            raise ImageNotUploadedError("The photo was not uploaded.")
        if len(content) != size_bytes:
            raise ImageSizeMismatchError(f"The uploaded photo has not the {size_bytes} bytes that `bytes` says.")
        if await off_loop_if_large(sha256_of, content) != sha256:
            raise ImageHashMismatchError("The uploaded photo is not the one whose sha256 was announced.")
        return content

    def _own_path(self, caller: Caller, url: str, sha256: str) -> ObjectPath:
        path = self._storage.locate(url)
        if path is None:
            raise ImageUrlForeignError("The url must be one that POST /v1/uploads answered with as downloadUrl.")
        if path.user_id != caller.user_id:
            raise ObjectForbiddenError("The photo belongs to another user.")
        if path.sha256 != sha256:
            raise ImageHashMismatchError("The sha256 is not the one of the url.")
        return path


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
