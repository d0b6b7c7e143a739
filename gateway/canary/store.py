"""The trials in PostgreSQL: one row a version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gateway.canary.protocols import Tally, Trial
from gateway.queries import load_queries

if TYPE_CHECKING:
    from gateway.database import Database

QUERIES = Path(__file__).with_name("queries.sql")


class PostgresTrials:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = load_queries(QUERIES)

    async def add(self, version: str, canary: Tally, promoted: Tally) -> Trial:
        counts = (*fields(canary), *fields(promoted))
        row = await self._database.fetch_row(self._queries["add"], version, *counts, may_repeat=False)
        *numbers, verdict = row.values()
        return Trial(Tally(*numbers[:3]), Tally(*numbers[3:]), verdict)

    async def roll_back(self, version: str, verdict: str) -> str:
        return str((await self._database.fetch_row(self._queries["roll_back"], version, verdict))["verdict"])


def fields(tally: Tally) -> tuple[int, int, int]:
    return tally.asked, tally.failed, tally.abstained
