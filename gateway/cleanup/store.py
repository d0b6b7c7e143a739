"""Expired rows in PostgreSQL, deleted by functions that run as service_role."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cleanup.protocols import Round
from gateway.queries import load_queries

if TYPE_CHECKING:
    from datetime import timedelta

    from gateway.database import Database

QUERIES = Path(__file__).with_name("queries.sql")


class PostgresExpiredRows:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = load_queries(QUERIES)

    async def begin(self, lease: timedelta) -> Round:
        row = await self._database.fetch_row(self._queries["begin"], lease)
        return Round(row["is_ours"], row["idempotency_rows"])

    async def delete_keys(self, limit: int) -> int:
        return int((await self._database.fetch_row(self._queries["delete_keys"], limit))["deleted"])

    async def delete_rate_limits(self, limit: int) -> int:
        return int((await self._database.fetch_row(self._queries["delete_rate_limits"], limit))["deleted"])
