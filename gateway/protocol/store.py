"""A user's rate in PostgreSQL, spent by requests that have no idempotency key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gateway.queries import load_queries

if TYPE_CHECKING:
    from gateway.allowance import Allowance
    from gateway.auth.protocols import Caller
    from gateway.database import Database
    from gateway.diagnoses.store import RateLimit

QUERIES = Path(__file__).with_name("queries.sql")


class PostgresLimits:
    """The allowance of diagnoses, in one round trip: who spends it here has less there.

    Sent again after a broken connection it may be spent twice, and never not at all.
    """

    def __init__(self, database: Database, limit: RateLimit) -> None:
        self._database = database
        self._limit = limit
        self._query = load_queries(QUERIES)["spend"]

    async def spend(self, caller: Caller) -> Allowance | None:
        row = await self._database.fetch_row(self._query, caller.user_id, self._limit.burst, self._limit.period)
        if not row["is_granted"]:
            raise self._limit.refusal(row)
        return self._limit.allowance(row)
