"""What the upload service handles, and what it needs of a storage."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from gateway.uuids import parse_canonical

if TYPE_CHECKING:
    from uuid import UUID

    from frond.types import ContentType, UploadTicket

UPLOAD_SECONDS = 15 * 60  # 20 MB at 22 KB/s
DOWNLOAD_SECONDS = 60 * 60
EXTENSIONS: dict[ContentType, str] = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/heic": "heic",
}
CONTENT_TYPES = {extension: content_type for content_type, extension in EXTENSIONS.items()}
NAME = re.compile(r"([0-9a-f]{64})\.(jpg|png|webp|heic)")


@dataclass(frozen=True, slots=True)
class ObjectPath:
    """Where a photo lies: below its user, named by its content, so that no other content can ever take its place."""

    user_id: UUID
    sha256: str
    content_type: ContentType

    def __str__(self) -> str:
        return f"{self.user_id}/{self.sha256}.{EXTENSIONS[self.content_type]}"

    @classmethod
    def parse(cls, user_id: str, name: str) -> Self | None:
        """None for anything but what `str` gives: no path leaves the storage."""
        matched = NAME.fullmatch(name)
        user = parse_canonical(user_id)
        if matched is None or user is None:
            return None
        return cls(user, matched[1], CONTENT_TYPES[matched[2]])

    @classmethod
    def below(cls, base_url: str, url: str) -> Self | None:
        """What a URL names below `base_url`: scheme, host, port and folder must be the same to the letter."""
        base, *names = url.partition("?")[0].rsplit("/", 2)
        return cls.parse(*names) if base == base_url and len(names) == 2 else None


class PhotoStorage(Protocol):
    """Where uploaded photos lie. What asks the storage raises `StorageUnavailableError` when it does not answer."""

    async def ticket(self, path: ObjectPath, size_bytes: int) -> UploadTicket:
        """URLs for one PUT of this photo and, for an hour, its download."""

    def locate(self, url: str) -> ObjectPath | None:
        """Whose object a download URL names, from the URL alone; None: it is no URL of this storage."""

    def verify(self, path: ObjectPath, url: str) -> None:
        """Raises `UrlSignatureError` or `UrlExpiredError` unless a ticket gave out the URL an hour ago or less."""

    async def read(self, path: ObjectPath, max_bytes: int) -> bytes | None:
        """No more than one byte beyond `max_bytes`, which shows that it is too large. None: there is no such object."""

    async def expire(self, older_than_seconds: float) -> int:
        """Remove some of the photos that are older, and what broken uploads left; returns how many went."""
