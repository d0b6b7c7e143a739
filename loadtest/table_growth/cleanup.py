"""The gateway's cleanup over expired rows: how fast, what it does to requests meanwhile, and what it leaves behind."""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cleanup.service import BATCH_ROWS
from gateway.queries import load_queries
from loadtest.table_growth import rows, statements
from stack.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    from loadtest.table_growth.server import Server

CLEANUP = load_queries(Path(ROOT, "gateway", "cleanup", "queries.sql"))
RATE = 50.0  # new requests a second beside it
EDGE = 20  # batches at the beginning and at the end that are compared


async def clean(server: Server, users: int, expired: int, *, snapshot: bool = False) -> dict[str, Any]:
    """Make so many expired rows and delete them as the gateway does, with requests beside it.

    `snapshot`: another session's transaction is open all the time, as a backup's is; what is deleted stays until then.
    """
    await rows.insert_expired(server, expired)
    async with server.owner() as owner, server.gateway() as gateway, server.gateway() as session:
        await owner.execute("analyze public.idempotency_keys")
        async with open_snapshot(server, is_wanted=snapshot):
            done = asyncio.Event()
            beside = asyncio.create_task(statements.paced(session, users, RATE, done))
            await asyncio.sleep(1)
            deleted, batches = await delete_all(gateway)
            done.set()
            times = await beside
    return {
        "rows": deleted,
        "rows_per_second": deleted / sum(batches),
        "batch_ms": [median_ms(batches[:EDGE]), median_ms(batches[-EDGE:])],
        "beside": times.figures(),
    }


async def delete_all(gateway: asyncpg.Connection) -> tuple[int, list[float]]:
    """One round: how many rows, and the seconds of each batch."""
    await gateway.fetchrow(CLEANUP["begin"], timedelta(0))
    total, batches, deleted = 0, list[float](), BATCH_ROWS
    while deleted == BATCH_ROWS:
        began = time.perf_counter()
        deleted = await gateway.fetchval(CLEANUP["delete_keys"], BATCH_ROWS)
        batches.append(time.perf_counter() - began)
        total += deleted
    return total, batches


def median_ms(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000


@asynccontextmanager
async def open_snapshot(server: Server, *, is_wanted: bool) -> AsyncIterator[None]:
    async with server.owner() as connection:
        if is_wanted:
            await connection.execute("begin isolation level repeatable read")
            await connection.fetchval("select count(*) from frond.chores")
        yield
