"""How PostgreSQL finds its way at 100,000 rows: by the indexes, and asking for the user once a statement."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from gateway.cleanup.store import QUERIES as CLEANUP_QUERIES
from gateway.diagnoses.store import ENDPOINT
from gateway.diagnoses.store import QUERIES as DIAGNOSES_QUERIES
from gateway.queries import load_queries
from tests.gateways import ALICE
from tests.integration.gateway.claims import claims_json
from tests.integration.gateway.test_row_level_security import acting_as

if TYPE_CHECKING:
    import asyncpg

    from tests.integration.gateway.conftest import Database

QUERIES = load_queries(DIAGNOSES_QUERIES) | load_queries(CLEANUP_QUERIES)
KEY, TOKEN = UUID(int=1), UUID(int=2)
FILL = """
insert into public.idempotency_keys
  (idempotency_key, user_id, endpoint, request_payload, payload_hash, owner_token, leased_until, expires_at)
select
  case when i = 1000 then $2::uuid else gen_random_uuid() end,
  case when i % 1000 = 0 then $1::uuid else md5((i % 1000)::text)::uuid end,
  $3, '{}', repeat('a', 64), $4::uuid, now() + interval '1 hour', now() + i * interval '1 second'
from generate_series(1, 100000) i
"""
# Plans of what runs inside of functions, too.
EXPLAIN = (
    "load 'auto_explain'",
    "set auto_explain.log_min_duration = 0",
    "set auto_explain.log_nested_statements = on",
    "set auto_explain.log_level = notice",
    "set session authorization frond_gateway",
)
LATER = timedelta(seconds=60)
CLAIM = [claims_json(ALICE), ENDPOINT, KEY, "a" * 64, "{}", "tx", uuid4(), LATER, True, 10, LATER]


async def fill(connection: asyncpg.Connection) -> None:
    await connection.execute(FILL, ALICE, KEY, ENDPOINT, TOKEN)
    await connection.execute("analyze public.idempotency_keys")


@pytest.mark.parametrize(
    ("name", "arguments", "index", "count"),
    [
        ("claim", CLAIM, "idempotency_keys_once", 2),  # in flight: read, and marked as awaited
        ("complete", [*CLAIM[:4], TOKEN, "{}", None], "idempotency_keys_once", 1),
        ("release", [*CLAIM[:3], TOKEN, False], "idempotency_keys_once", 1),
        ("delete_keys", [10], "idempotency_keys_expires_at", 1),
    ],
)
async def test_a_statement_of_the_gateway_reads_by_an_index(
    database: Database, name: str, arguments: list[object], index: str, count: int
) -> None:
    async with database.owner() as connection:
        await fill(connection)
        plans: list[str] = []
        connection.add_log_listener(lambda _connection, message: plans.append(message.message))
        for setting in EXPLAIN:
            await connection.execute(setting)
        assert await connection.fetchrow(QUERIES[name], *arguments) is not None
    scans = [plan for plan in plans if " on idempotency_keys" in plan]
    assert len(scans) == count
    for plan in scans:
        assert f"Index Scan using {index} on idempotency_keys" in plan
        assert "Seq Scan" not in plan
        if name != "delete_keys":
            assert re.search(r"Index Cond: \(\(user_id = \(InitPlan \d\)\.col1\) AND \(endpoint = ", plan)
            assert "Filter: (InitPlan" not in plan  # once a statement, not once a row


async def test_a_users_own_select_asks_for_the_user_once_and_reads_only_their_rows(database: Database) -> None:
    async with database.owner() as connection:
        await fill(connection)
    async with acting_as(database, "authenticated", ALICE) as connection:
        rows = await connection.fetch("explain (analyze, timing off) select * from public.idempotency_keys")
    plan = "\n".join(row[0] for row in rows)
    assert "InitPlan" in plan
    assert "idempotency_keys_once" in plan
    assert "Seq Scan" not in plan
    assert not re.search(r"Filter: .*auth\.uid", plan)
