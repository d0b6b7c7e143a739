"""Whether PostgreSQL answers, and has our migrations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import DatabaseUnavailableError
from gateway.queries import load_queries

if TYPE_CHECKING:
    from gateway.database import Database

QUERIES = Path(__file__).with_name("queries.sql")


class DatabaseProbe:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._query = load_queries(QUERIES)["ready"]

    async def check(self) -> None:
        row = await self._database.fetch_row(self._query)
        if not row["migrated"]:
            raise DatabaseUnavailableError("The migrations have not been applied: python -m gateway.migrate")
