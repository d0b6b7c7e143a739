"""Everything that is measured with a table of one size."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from loadtest.table_growth import statements
from loadtest.table_growth.cleanup import clean
from loadtest.table_growth.rows import QUERIES, ROWS_A_USER

if TYPE_CHECKING:
    from collections.abc import Callable

    import asyncpg

    from loadtest.table_growth.server import Server

STATISTICS_SECONDS = 1.5  # a session hands its counts over each second at most


async def measure(server: Server, rows: int, requests: int, expired: int, say: Callable[[str], None]) -> dict[str, Any]:
    """`requests` new ones and replays; two cleanups of `expired` rows, the second one below an open snapshot."""
    users = rows // ROWS_A_USER
    async with server.owner() as owner, server.gateway() as gateway:
        found: dict[str, Any] = {"rows": rows, "sizes": await row(owner, "sizes")}
        found |= await new_requests(owner, gateway, users, requests)
        say(f"{rows:,} rows: {found['statements']}")
        found["cleanup"] = await clean(server, users, expired)
        say(f"cleanup: {found['cleanup']}")
        found["left"] = await left_behind(owner)
        found["cleanup_below_snapshot"] = await clean(server, users, expired, snapshot=True)
        say(f"below a snapshot: {found['cleanup_below_snapshot']}")
        await owner.execute("vacuum public.idempotency_keys")
    return found


async def new_requests(
    owner: asyncpg.Connection, gateway: asyncpg.Connection, users: int, count: int
) -> dict[str, Any]:
    """Times, and per request what was written and how often the completion stayed on its page."""
    stored = await owner.fetch(QUERIES["stored"], count)
    before = await settled_counts(owner)
    times = await statements.measure(gateway, stored, users, count)
    await gateway.execute("select pg_stat_force_next_flush()")
    after = await settled_counts(owner)
    spent = {name: after[name] - before[name] for name in before}
    return {
        "statements": times.figures(),
        "written": {name: float(spent[name]) / count for name in ("pages", "wal_bytes", "wal_syncs")},
        "completed_on_their_page": spent["on_their_page"] / spent["updates"],
    }


async def settled_counts(owner: asyncpg.Connection) -> dict[str, Any]:
    """With all that was written on the disk and in the statistics."""
    await owner.execute("checkpoint")
    await asyncio.sleep(STATISTICS_SECONDS)
    return await counts(owner)


async def counts(owner: asyncpg.Connection) -> dict[str, Any]:
    return {**await row(owner, "written"), **await row(owner, "updates"), **await row(owner, "sizes")}


async def row(owner: asyncpg.Connection, query: str) -> dict[str, Any]:
    found = await owner.fetchrow(QUERIES[query])
    assert found is not None
    return dict(found)


async def left_behind(owner: asyncpg.Connection) -> dict[str, Any]:
    """Bloat after a cleanup, before and after a vacuum, which autovacuum would do when a fifth of the table is dead."""
    before = {**await row(owner, "sizes"), **await row(owner, "bloat")}
    began = time.perf_counter()
    await owner.execute("vacuum public.idempotency_keys")
    seconds = time.perf_counter() - began
    after = {**await row(owner, "sizes"), **await row(owner, "bloat")}
    return {"before_vacuum": before, "vacuum_seconds": seconds, "after_vacuum": after}
