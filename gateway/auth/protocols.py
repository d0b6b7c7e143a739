"""What the verifier needs of a source of keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from jwt import PyJWK


@dataclass(frozen=True, slots=True)
class Caller:
    """The user of a verified token; `claims` is all of its payload as JSON, for the database's policies."""

    user_id: UUID
    claims: str


class KeySource(Protocol):
    """Public keys; each knows the one algorithm it may be used with."""

    def current(self) -> Mapping[str, PyJWK]:
        """The keys in force, by their id: the same object until they change."""

    async def renew(self) -> None:
        """Look for a key that is not among the current ones, unless that was done a moment ago.

        Raises `KeysUnavailableError` while there have never been any keys.
        """

    async def check(self) -> None:
        """Raises `KeysUnavailableError` while there have never been any keys."""
