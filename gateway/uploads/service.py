"""Tickets for uploads, the upload and download itself, and photos for the diagnosis."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import AnyUrl

from frond.types import UploadTicket
from gateway.errors import (
    ImageHashMismatchError,
    ImageNotUploadedError,
    ImageSizeMismatchError,
    ImageUrlForeignError,
    NotFoundError,
    ObjectForbiddenError,
)
from gateway.threads import off_loop_if_large
from gateway.uploads.protocols import ObjectPath
from gateway.uploads.signing import Grant

if TYPE_CHECKING:
    from frond.types import UploadRequest
    from gateway.auth.protocols import Caller
    from gateway.uploads.protocols import ObjectStorage
    from gateway.uploads.signing import UrlSigner

STORAGE_PATH = "/v1/storage"
UPLOAD_SECONDS = 15 * 60  # 20 MB at 22 KB/s
DOWNLOAD_SECONDS = 60 * 60


class UploadService:
    """Fills the diagnosis service's `PhotoSource` too: its own URLs are read from the storage, not over HTTP."""

    def __init__(self, storage: ObjectStorage, signer: UrlSigner, public_url: str) -> None:
        self._storage = storage
        self._signer = signer
        self._base_url = public_url.rstrip("/") + STORAGE_PATH

    def ticket(self, caller: Caller, upload: UploadRequest) -> UploadTicket:
        path = ObjectPath(caller.user_id, upload.sha256, upload.content_type)
        put = Grant.for_seconds("PUT", path, upload.bytes, UPLOAD_SECONDS)
        get = Grant.for_seconds("GET", path, upload.bytes, DOWNLOAD_SECONDS)
        return UploadTicket(
            upload_url=self._url(put),
            upload_headers={"Content-Type": upload.content_type},
            upload_expires_in_seconds=UPLOAD_SECONDS,
            download_url=self._url(get),
            download_expires_in_seconds=DOWNLOAD_SECONDS,
        )

    def authorise_put(self, path: ObjectPath, query: str) -> Grant:
        return self._signer.verify("PUT", path, query)

    async def put(self, grant: Grant, content: bytes) -> None:
        if len(content) != grant.size_bytes:
            raise ImageSizeMismatchError(f"The photo has {len(content)} bytes; {grant.size_bytes} were announced.")
        if await off_loop_if_large(sha256_of, content) != grant.path.sha256:
            raise ImageHashMismatchError("The photo is not the one whose hash was announced.")
        await self._storage.write(grant.path, content)

    async def get(self, path: ObjectPath, query: str) -> bytes:
        grant = self._signer.verify("GET", path, query)
        content = await self._storage.read(path, grant.size_bytes)
        if content is None or len(content) != grant.size_bytes:
            raise NotFoundError("Nothing was uploaded under this URL.")
        return content

    def check_owner(self, caller: Caller, url: str, sha256: str) -> None:
        self._own_path(caller, url, sha256)

    async def load(self, caller: Caller, url: str, sha256: str, size_bytes: int) -> bytes:
        path = self._own_path(caller, url, sha256)
        self._signer.verify("GET", path, urlsplit(url).query)
        content = await self._storage.read(path, size_bytes)
        if content is None:
            raise ImageNotUploadedError("A photo was not uploaded.")
        if len(content) != size_bytes:
            raise ImageSizeMismatchError(f"The photo has not the {size_bytes} bytes that the request says.")
        if await off_loop_if_large(sha256_of, content) != sha256:
            raise ImageHashMismatchError("The photo in the storage is not the one that was uploaded.")
        return content

    def _own_path(self, caller: Caller, url: str, sha256: str) -> ObjectPath:
        base, *names = url.partition("?")[0].rsplit("/", 2)
        path = ObjectPath.parse(*names) if base == self._base_url and len(names) == 2 else None
        if path is None:
            raise ImageUrlForeignError("A photo's URL must be one that POST /v1/uploads answered with.")
        if path.user_id != caller.user_id:
            raise ObjectForbiddenError("The photo belongs to another user.")
        if path.sha256 != sha256:
            raise ImageHashMismatchError("A photo's sha256 is not the one of its URL.")
        return path

    def _url(self, grant: Grant) -> AnyUrl:
        return AnyUrl(f"{self._base_url}/{grant.path}?{self._signer.query(grant)}")


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
