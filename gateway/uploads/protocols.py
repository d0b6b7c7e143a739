"""What the upload service handles, and what it needs of a storage."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self
from uuid import UUID

if TYPE_CHECKING:
    from frond.types import ContentType

EXTENSIONS: dict[ContentType, str] = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/heic": "heic",
}
CONTENT_TYPES = {extension: content_type for content_type, extension in EXTENSIONS.items()}
NAME = re.compile(r"([0-9a-f]{64})\.(jpg|png|webp|heic)")
USER_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


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
        if matched is None or not USER_ID.fullmatch(user_id):
            return None
        return cls(UUID(user_id), matched[1], CONTENT_TYPES[matched[2]])


class ObjectStorage(Protocol):
    """Both raise `StorageUnavailableError`."""

    async def write(self, path: ObjectPath, content: bytes) -> None:
        """All of it or nothing, and safe on the disk when this returns."""

    async def read(self, path: ObjectPath, max_bytes: int) -> bytes | None:
        """No more than one byte beyond `max_bytes`, which shows that it is too large. None: there is no such object."""
