"""What the verifier needs of a source of keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from uuid import UUID

    from jwt import PyJWK


@dataclass(frozen=True, slots=True)
class Caller:
    """The user of a verified token; `claims` is all of its payload as JSON, for the database's policies."""

    user_id: UUID
    claims: str


class KeySource(Protocol):
    """Public keys by their id."""

    def find(self, key_id: str) -> PyJWK | None:
        """The key, which knows the one algorithm it may be used with."""
