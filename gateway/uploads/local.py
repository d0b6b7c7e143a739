"""The local storage: files below one folder, behind the gateway's own signed URLs."""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from pydantic import AnyUrl

from frond.types import UploadTicket
from gateway.errors import (
    ImageHashMismatchError,
    ImageSizeMismatchError,
    NotFoundError,
    StorageUnavailableError,
)
from gateway.uploads import files
from gateway.uploads.protocols import DOWNLOAD_SECONDS, UPLOAD_SECONDS, ObjectPath
from gateway.uploads.signing import Grant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from gateway.uploads.signing import Method, UrlSigner

STORAGE_PATH = "/v1/storage"
BLOCK_BYTES = 256 * 1024  # written and hashed in one go: a change of threads costs a tenth of that


class LocalStorage:
    """File operations run in threads: a slow disk holds up no other request."""

    def __init__(self, folder: Path, signer: UrlSigner, public_url: str) -> None:
        self._folder = folder
        self._signer = signer
        self._base_url = public_url.rstrip("/") + STORAGE_PATH

    async def ticket(self, path: ObjectPath, size_bytes: int) -> UploadTicket:
        return UploadTicket(
            upload_url=self._url(Grant.for_seconds("PUT", path, size_bytes, UPLOAD_SECONDS)),
            upload_headers={"Content-Type": path.content_type},
            upload_expires_in_seconds=UPLOAD_SECONDS,
            download_url=self._url(Grant.for_seconds("GET", path, size_bytes, DOWNLOAD_SECONDS)),
            download_expires_in_seconds=DOWNLOAD_SECONDS,
        )

    def locate(self, url: str) -> ObjectPath | None:
        return ObjectPath.below(self._base_url, url)

    def verify(self, path: ObjectPath, url: str) -> None:
        self.authorise("GET", path, urlsplit(url).query)

    def authorise(self, method: Method, path: ObjectPath, query: str) -> Grant:
        return self._signer.verify(method, path, query)

    async def write(self, grant: Grant, pieces: AsyncIterator[bytes]) -> None:
        """All of it or nothing, and safe on the disk when this returns.

        Raises `ImageSizeMismatchError` and `ImageHashMismatchError` for another photo than the grant's.
        """
        with unavailable("The photo cannot be stored now. Try again."):
            incoming = await asyncio.to_thread(files.Incoming, self._folder / str(grant.path))
            try:
                await self._receive(incoming, grant, pieces)
                await asyncio.to_thread(incoming.keep)
            finally:
                incoming.end()

    async def _receive(self, incoming: files.Incoming, grant: Grant, pieces: AsyncIterator[bytes]) -> None:
        size_bytes = 0
        async for block in in_blocks(pieces):
            size_bytes += len(block)
            await asyncio.to_thread(incoming.add, block)
        if size_bytes != grant.size_bytes:
            raise ImageSizeMismatchError(f"The photo has {size_bytes} bytes; {grant.size_bytes} were announced.")
        if incoming.sha256() != grant.path.sha256:
            raise ImageHashMismatchError("The photo is not the one whose sha256 was announced.")

    async def read(self, path: ObjectPath, max_bytes: int) -> bytes | None:
        with unavailable("The photo cannot be read now. Try again."):
            try:
                return await asyncio.to_thread(files.read_start, self._folder / str(path), max_bytes + 1)
            except FileNotFoundError:
                return None

    async def open(self, grant: Grant) -> BinaryIO:
        """Raises `NotFoundError` when the photo of the grant is not there."""
        with unavailable("The photo cannot be read now. Try again."):
            try:
                file: BinaryIO = await asyncio.to_thread((self._folder / str(grant.path)).open, "rb")
            except FileNotFoundError as error:
                raise NotFoundError("Nothing was uploaded under this URL.") from error
            if os.fstat(file.fileno()).st_size != grant.size_bytes:
                file.close()
                raise NotFoundError("Nothing was uploaded under this URL.")
            return file

    async def expire(self, older_than_seconds: float) -> int:
        with unavailable("The folder of photos cannot be cleaned."):
            return await asyncio.to_thread(files.remove_old, self._folder, older_than_seconds)

    def _url(self, grant: Grant) -> AnyUrl:
        return AnyUrl(f"{self._base_url}/{grant.path}?{self._signer.query(grant)}")


@contextmanager
def unavailable(message: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageUnavailableError(message) from error


async def in_blocks(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A client decides how small the pieces are."""
    block = bytearray()
    async for piece in pieces:
        block += piece
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    yield bytes(block)
