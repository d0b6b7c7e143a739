"""Every statement of the gateway, and every other way to its tables, tried as somebody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from gateway.cleanup.store import QUERIES as CLEANUP_QUERIES
from gateway.diagnoses.protocols import Claimed, Found
from gateway.diagnoses.store import ENDPOINT
from gateway.diagnoses.store import QUERIES as DIAGNOSES_QUERIES
from gateway.errors import RequestInFlightError
from gateway.queries import load_queries
from tests.gateways import ALICE, BOB
from tests.integration.gateway.claims import ANSWER, claim_of, claims_json, start
from tests.integration.gateway.test_row_level_security import INSERT, acting_as, login

if TYPE_CHECKING:
    from gateway.diagnoses.store import PostgresStore
    from tests.integration.gateway.conftest import Database

LATER = timedelta(seconds=60)
ALICES = claims_json(ALICE)
ARGUMENTS: dict[str, list[object]] = {
    "claim": [ALICES, ENDPOINT, uuid4(), "a" * 64, "{}", "tx", uuid4(), LATER, True, 10, LATER],
    "complete": [ALICES, ENDPOINT, uuid4(), "a" * 64, uuid4(), "{}", None],
    "release": [ALICES, ENDPOINT, uuid4(), uuid4(), False],
    "begin": [LATER],
    "delete_keys": [10],
    "delete_rate_limits": [10],
}
QUERIES = load_queries(DIAGNOSES_QUERIES) | load_queries(CLEANUP_QUERIES)
TABLES = ("public.idempotency_keys", "frond.rate_limits", "frond.chores", "frond.canaries", "frond.migrations")
RIGHTS = ("select", "insert", "update", "delete", "truncate", "references", "trigger")
ROW = "select k::text from public.idempotency_keys k where k.user_id = $1"


def test_every_statement_of_the_gateway_is_tried() -> None:
    assert QUERIES.keys() == ARGUMENTS.keys()


@pytest.mark.parametrize(
    ("role", "name"),
    # The service role owns the functions of the cleanup.
    [(role, name) for role in ("anon", "authenticated") for name in QUERIES]
    + [("service_role", name) for name in load_queries(DIAGNOSES_QUERIES)],
)
async def test_nobody_but_the_gateway_may_run_a_statement_of_the_gateway(
    shared_database: Database, name: str, role: str
) -> None:
    async with acting_as(shared_database, role, ALICE) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetchrow(QUERIES[name], *ARGUMENTS[name])


@pytest.mark.parametrize("role", ["anon", "authenticated"])
async def test_no_function_is_for_users(shared_database: Database, role: str) -> None:
    async with shared_database.owner() as owner:
        assert not await owner.fetchval("select has_schema_privilege($1, 'frond', 'usage')", role)
        callable_ = "select count(*) from pg_proc where pronamespace = 'frond'::regnamespace and {}"
        right = f"has_function_privilege('{role}', oid, 'execute')"
        assert await owner.fetchval(callable_.format(right)) == 0
        assert await owner.fetchval(callable_.format("true")) > 0


async def test_no_function_trusts_a_search_path(shared_database: Database) -> None:
    async with shared_database.owner() as owner:
        query = "select coalesce(proconfig, '{}') from pg_proc where pronamespace = 'frond'::regnamespace"
        assert {tuple(row[0]) for row in await owner.fetch(query)} == {('search_path=""',)}


async def test_only_cleanup_runs_as_another_role_and_that_is_the_service_role(shared_database: Database) -> None:
    async with shared_database.owner() as owner:
        query = "select proname, proowner::regrole::text from pg_proc where {} and pronamespace = 'frond'::regnamespace"
        functions = {tuple(row) for row in await owner.fetch(query.format("prosecdef"))}
    cleanup = ("begin_cleanup", "delete_expired_keys", "delete_idle_rate_limits")
    assert functions == {(name, "service_role") for name in cleanup}


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("anon", set()),
        ("authenticated", {("public.idempotency_keys", right) for right in RIGHTS[:4]}),
        ("frond_gateway", {(f"frond.{name}", right) for name in ("rate_limits", "canaries") for right in RIGHTS[:3]}),
    ],
)
async def test_the_rights_on_the_tables_are_these(
    shared_database: Database, role: str, may: set[tuple[str, str]]
) -> None:
    async with shared_database.owner() as owner:
        has = {
            (table, right)
            for table in TABLES
            for right in RIGHTS
            if await owner.fetchval("select has_table_privilege($1::name, $2, $3)", role, table, right)
        }
    assert has == may


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement", ["delete from {}", "truncate {}", "drop table {}", "alter table {} owner to anon"]
)
async def test_the_bare_login_cannot_destroy_a_table(shared_database: Database, table: str, statement: str) -> None:
    async with login(shared_database) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement.format(table))


@pytest.mark.parametrize("user", [BOB, None], ids=["another user", "nobody"])
@pytest.mark.parametrize(
    ("statement", "done"),
    [
        ("update public.idempotency_keys set client_tx_id = 'x'", "UPDATE 0"),
        ("delete from public.idempotency_keys", "DELETE 0"),
        ("select from public.idempotency_keys", "SELECT 0"),
        ("select from public.idempotency_keys for update", "SELECT 0"),
        (INSERT.replace("$1", f"'{ALICE}'"), None),
        (INSERT.replace("$1", f"'{ALICE}'").rstrip() + " on conflict do nothing", None),
    ],
    ids=["update", "delete", "select", "lock", "insert", "upsert"],
)
async def test_a_plain_statement_finds_no_row_of_alice(
    store: PostgresStore, database: Database, user: object, statement: str, done: str | None
) -> None:
    await start(store, claim_of(uuid4()))
    async with acting_as(database, "authenticated", BOB if user else None) as connection:
        if done is None:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        else:
            assert await connection.execute(statement) == done


async def test_with_everything_about_alices_request_but_her_token_bob_gets_nothing_and_changes_nothing(
    store: PostgresStore, database: Database
) -> None:
    alices = claim_of(uuid4())
    bobs = replace(claim_of(alices.key, user=BOB), owner_token=alices.owner_token)
    await start(store, alices)
    async with database.owner() as owner:
        before = await owner.fetchval(ROW, ALICE)
        with pytest.raises(RequestInFlightError):
            await store.complete(bobs, ANSWER)
        assert not await store.release(bobs)
        assert await store.claim(bobs, may_start=False) == Claimed(Found.NOT_STARTED)
        assert await start(store, bobs) is Found.CLAIMED
        await store.complete(bobs, ANSWER)
        assert await owner.fetchval(ROW, ALICE) == before
    await store.complete(alices, ANSWER)
    assert await start(store, claim_of(alices.key)) is Found.REPLAYED


@pytest.mark.parametrize("name", load_queries(DIAGNOSES_QUERIES))
async def test_stale_settings_of_a_session_change_nothing(database: Database, name: str) -> None:
    """As a pooler may hand a connection on: what is left in the session is BOB's."""
    async with login(database) as connection:
        for setting, value in {
            "request.jwt.claims": claims_json(BOB, "service_role"),
            "request.jwt.claim.sub": str(BOB),
            "request.jwt.claim.role": "service_role",
        }.items():
            await connection.execute("select set_config($1, $2, false)", setting, value)
        await connection.execute("set search_path = public, pg_temp")
        await connection.fetchrow(QUERIES["claim"], *ARGUMENTS["claim"])
        row = await connection.fetchrow(QUERIES[name], *alices_own(name))
    assert row is not None
    assert row[0] in {"claimed", "completed", True}
    async with database.owner() as owner:
        users = [row[0] for row in await owner.fetch("select user_id from public.idempotency_keys")]
        assert users == ([] if name == "release" else [ALICE])
        assert await owner.fetchval("select user_id from frond.rate_limits") == ALICE


def alices_own(name: str) -> list[object]:
    """The statement's arguments for the key that `claim` claims."""
    _, endpoint, key, payload_hash, _, _, token, *_ = ARGUMENTS["claim"]
    return {
        "claim": ARGUMENTS["claim"],
        "complete": [ALICES, endpoint, key, payload_hash, token, "{}", None],
        "release": [ALICES, endpoint, key, token, False],
    }[name]


@pytest.mark.parametrize("name", load_queries(DIAGNOSES_QUERIES))
@pytest.mark.parametrize(
    "claims",
    ["{}", "null", "[]", '{"sub": null, "role": "authenticated"}', f'{{"sub": "{ALICE}"}}', claims_json(ALICE, "anon")],
)
async def test_claims_that_name_no_authenticated_user_are_refused(
    shared_database: Database, name: str, claims: str
) -> None:
    async with login(shared_database) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no authenticated user"):
            await connection.fetchrow(QUERIES[name], claims, *ARGUMENTS[name][1:])


async def test_an_object_that_shadows_ours_in_the_search_path_is_not_used(
    store: PostgresStore, database: Database
) -> None:
    async with login(database) as connection:
        await connection.execute("create temp table idempotency_keys (user_id uuid)")
        await connection.execute(
            "create function pg_temp.clock_timestamp() returns timestamptz language sql as 'select null::timestamptz'"
        )
        await connection.fetchrow(QUERIES["claim"], *ARGUMENTS["claim"])
    async with database.owner() as owner:
        assert await owner.fetchval("select user_id from public.idempotency_keys") == ALICE
