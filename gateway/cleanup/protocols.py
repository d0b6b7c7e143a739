"""What cleanup removes, and who does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Round:
    """Whether a round of cleanup is ours, and how many idempotency keys there are, about."""

    is_ours: bool
    idempotency_rows: int


class ExpiredRows(Protocol):
    """Each method is one small transaction. All raise `DatabaseUnavailableError`."""

    async def begin(self, lease: timedelta) -> Round:
        """Ours: no other replica's is until the lease ends."""

    async def delete_keys(self, limit: int) -> int:
        """How many expired idempotency keys were deleted, at most `limit`."""

    async def delete_rate_limits(self, limit: int) -> int:
        """How many rate limits were deleted of users who have their whole burst again, at most `limit`."""


class Expirable(Protocol):
    """Where uploaded photos lie."""

    async def expire(self, older_than_seconds: float) -> int:
        """How many photos were removed. Raises a `ServerError`."""
