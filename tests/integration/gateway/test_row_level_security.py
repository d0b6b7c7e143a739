"""Who may do what with idempotency keys: users with their own rows, and nobody else with anything."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
import pytest

from gateway.cleanup.store import QUERIES as CLEANUP_QUERIES
from gateway.diagnoses.protocols import Found
from gateway.diagnoses.store import QUERIES as DIAGNOSES_QUERIES
from gateway.health.store import QUERIES as HEALTH_QUERIES
from gateway.protocol.store import QUERIES as PROTOCOL_QUERIES
from gateway.queries import load_queries
from tests.gateways import ALICE, BOB
from tests.integration.gateway.claims import claim_of, claims_json, start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.diagnoses.store import PostgresStore
    from tests.integration.gateway.conftest import Database

INSERT = """
insert into public.idempotency_keys
  (idempotency_key, user_id, endpoint, request_payload, payload_hash, owner_token, leased_until)
values (gen_random_uuid(), $1, '/v1/ai-inference', '{}', repeat('0', 64), gen_random_uuid(), now())
"""
COUNT = "select count(*) from public.idempotency_keys"
QUERIES = (CLEANUP_QUERIES, DIAGNOSES_QUERIES, HEALTH_QUERIES)
CLAIM = load_queries(DIAGNOSES_QUERIES)["claim"]


def claim_arguments(user: UUID, role: str = "authenticated") -> list[object]:
    payload = "0" * 64
    lease = timedelta(seconds=5)
    start = (True, 10, timedelta(minutes=1))
    return [claims_json(user, role), "/v1/ai-inference", uuid4(), payload, "{}", "tx", uuid4(), lease, *start]


@asynccontextmanager
async def login(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.gateway_url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def acting_as(database: Database, role: str, user: UUID | None = None) -> AsyncIterator[asyncpg.Connection]:
    """As PostgREST does it: role and claims local to a transaction, which is rolled back."""
    async with database.owner() as connection:
        transaction = connection.transaction()
        await transaction.start()
        claims = claims_json(user, role) if user else ""
        await connection.execute("select set_config('request.jwt.claims', $1, true)", claims)
        await connection.execute(f"set local role {role}")
        try:
            yield connection
        finally:
            await transaction.rollback()


async def add_rows(database: Database, *users: UUID) -> None:
    async with database.owner() as connection:
        for user in users:
            await connection.execute(INSERT, user)


async def test_a_user_sees_and_changes_only_own_rows(database: Database) -> None:
    await add_rows(database, ALICE, BOB, BOB)
    async with acting_as(database, "authenticated", ALICE) as connection:
        assert await connection.fetchval(COUNT) == 1
        assert await connection.execute("update public.idempotency_keys set client_tx_id = 'x'") == "UPDATE 1"
        assert await connection.execute("delete from public.idempotency_keys") == "DELETE 1"


@pytest.mark.parametrize(
    "statement",
    [
        "update public.idempotency_keys set status = 'completed', response_payload = to_json(repeat('x', 1100000))",
        "update public.idempotency_keys set request_payload = to_jsonb(repeat('x', 100000))",
        "update public.idempotency_keys set client_tx_id = repeat('x', 201)",
    ],
)
async def test_a_user_cannot_make_a_row_whose_replay_fills_the_gateways_memory(
    database: Database, statement: str
) -> None:
    await add_rows(database, ALICE)
    async with acting_as(database, "authenticated", ALICE) as connection:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(statement)


async def test_a_row_for_another_user_is_refused(database: Database) -> None:
    async with acting_as(database, "authenticated", ALICE) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(INSERT, BOB)


async def test_a_row_cannot_be_given_to_another_user(database: Database) -> None:
    await add_rows(database, ALICE)
    async with acting_as(database, "authenticated", ALICE) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("update public.idempotency_keys set user_id = $1", BOB)


async def test_without_claims_a_user_sees_nothing(database: Database) -> None:
    await add_rows(database, ALICE)
    async with acting_as(database, "authenticated") as connection:
        assert await connection.fetchval(COUNT) == 0


@pytest.mark.parametrize("statement", [COUNT, "delete from public.idempotency_keys"])
async def test_anon_may_do_nothing(database: Database, statement: str) -> None:
    async with acting_as(database, "anon") as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_the_service_role_sees_all_rows(database: Database) -> None:
    await add_rows(database, ALICE, BOB)
    async with acting_as(database, "service_role") as connection:
        assert await connection.fetchval(COUNT) == 2


async def test_no_user_may_empty_the_table(database: Database) -> None:
    async with acting_as(database, "authenticated", ALICE) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("truncate public.idempotency_keys")


async def test_the_policies_bind_the_owner_of_the_table_too(database: Database) -> None:
    async with database.owner() as connection:
        query = "select relrowsecurity and relforcerowsecurity from pg_class where relname = 'idempotency_keys'"
        assert await connection.fetchval(query)
        policies = "select count(*) from pg_policies where tablename = 'idempotency_keys'"
        assert await connection.fetchval(policies) == 5


async def test_the_login_of_the_gateway_may_not_touch_the_table_itself(database: Database) -> None:
    async with login(database) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetchval(COUNT)


@pytest.mark.parametrize("role", ["anon", "service_role"])
async def test_the_login_of_the_gateway_cannot_become_anyone_but_a_user(database: Database, role: str) -> None:
    async with login(database) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"set role {role}")


async def test_claims_of_another_role_are_refused(database: Database) -> None:
    async with login(database) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no authenticated user"):
            await connection.fetchrow(CLAIM, *claim_arguments(ALICE, role="service_role"))


async def test_users_may_not_call_the_functions_that_take_claims(database: Database) -> None:
    async with acting_as(database, "authenticated", ALICE) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetchrow(CLAIM, *claim_arguments(BOB))


async def test_after_a_statement_the_session_is_nobody_again(database: Database) -> None:
    async with login(database) as connection:
        await connection.fetchrow(CLAIM, *claim_arguments(ALICE))
        assert await connection.fetchval("select current_user") == "frond_gateway"
        assert not await connection.fetchval("select current_setting('request.jwt.claims', true)")
        assert not await connection.fetchval("select current_setting('request.jwt.claim.sub', true)")


async def test_stale_claims_of_a_session_do_not_win(database: Database) -> None:
    async with login(database) as connection:
        await connection.execute("select set_config('request.jwt.claim.sub', $1, false)", str(BOB))
        await connection.fetchrow(CLAIM, *claim_arguments(ALICE))
    async with database.owner() as owner:
        assert await owner.fetchval("select user_id from public.idempotency_keys") == ALICE


async def test_two_users_on_one_connection_each_see_their_own_key(store: PostgresStore) -> None:
    key = uuid4()
    for user in (ALICE, BOB):
        assert await start(store, claim_of(key, user)) is Found.CLAIMED


@pytest.mark.parametrize(
    "path", [CLEANUP_QUERIES, DIAGNOSES_QUERIES, HEALTH_QUERIES, PROTOCOL_QUERIES], ids=lambda path: path.parent.name
)
async def test_every_query_can_be_prepared_by_the_gateway(database: Database, path: Path) -> None:
    queries = load_queries(path)
    assert queries
    async with login(database) as connection:
        for query in queries.values():
            await connection.prepare(query)
