"""The migrations and the store on a PostgreSQL that is prepared as Supabase prepares its own.

Its roles, grants and default privileges are those of Supabase's image for PostgreSQL 17, where `postgres`, here
`project`, is no superuser, and `auth.uid()` belongs to another role. No Supabase project was at hand.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from gateway.cleanup.store import PostgresExpiredRows
from gateway.database import open_database
from gateway.diagnoses.protocols import Found
from gateway.diagnoses.store import PostgresStore
from gateway.migrate import migrate, read_migrations
from stack import postgres as postgres_part
from stack.ports import free_ports
from tests.conftest import serving
from tests.gateways import ALICE, BOB
from tests.integration.gateway.claims import ANSWER, claim_of, start
from tests.integration.gateway.conftest import GENEROUS, PASSWORD, Database
from tests.integration.gateway.test_row_level_security import COUNT, acting_as, login

if TYPE_CHECKING:
    from collections.abc import Iterator

PREPARATION = """
create role project login password 'project' createdb createrole replication bypassrls;
create role anon nologin;
create role authenticated nologin;
create role service_role nologin bypassrls;
create role authenticator login noinherit;
grant anon, authenticated, service_role to authenticator;
create role supabase_auth_admin nologin noinherit createrole;
create schema auth authorization supabase_auth_admin;
set role supabase_auth_admin;
create function auth.uid() returns uuid language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
  )::uuid
$$;
grant usage on schema auth to anon, authenticated, service_role, project;
reset role;
grant usage on schema public to anon, authenticated, service_role;
grant create on schema public to project;
alter default privileges for role project in schema public
  grant all on tables to project, anon, authenticated, service_role;
alter default privileges for role project in schema public
  grant all on functions to project, anon, authenticated, service_role;
alter role authenticated set statement_timeout = '8s';
grant all on database postgres to project;
"""
ADMIN_OPTION = "grant anon, authenticated, service_role to project with admin option"
# What was there before, less what the migrations are to add: grants of ours on roles that exist, and our login.
BEFORE = """
select 'role', rolname, row(rolsuper, rolinherit, rolcreaterole, rolbypassrls, rolconnlimit, rolconfig)::text
  from pg_roles where rolname <> 'frond_gateway'
union all select 'member', roleid::regrole || ' > ' || member::regrole, admin_option::text
  from pg_auth_members where member::regrole::text not in ('frond_gateway') and roleid::regrole::text <> 'frond_gateway'
union all select 'function', oid::regprocedure::text, proowner::regrole || ' ' || coalesce(proacl::text, '')
  from pg_proc where pronamespace = 'auth'::regnamespace
union all select 'schema', nspname, nspowner::regrole || ' ' || coalesce(nspacl::text, '')
  from pg_namespace where nspname in ('auth', 'public')
order by 1, 2
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Database]]:
    """The superuser's URL, and the database as `postgres` and the gateway see it."""
    folder = tmp_path_factory.mktemp("supabase")
    cluster = postgres_part.prepare(folder / "cluster")
    (port,) = free_ports(1)
    url = cluster.url(port, "postgres")

    command = postgres_part.serve_command(cluster, port)
    with serving(command, folder / "log", signal.SIGINT, lambda: asyncio.run(postgres_part.answers(url))):
        asyncio.run(execute(url, PREPARATION, ADMIN_OPTION))
        owner = cluster.url(port, "postgres", "project", "project")
        yield url, Database("postgres", owner, cluster.url(port, "postgres", "frond_gateway", PASSWORD))


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def rows(url: str, query: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def migrated(project: tuple[str, Database]) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]], Database]:
    """What was there before and after, and the database. Two runners at once, as two replicas would."""
    admin, database = project

    async def run() -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
        before = await rows(admin, BEFORE)
        await asyncio.gather(*(migrate(database.owner_url, read_migrations()) for _ in range(2)))
        await execute(database.owner_url, f"alter role frond_gateway password '{PASSWORD}'")
        return before, await rows(admin, BEFORE)

    return (*asyncio.run(run()), database)


Migrated = tuple[list[tuple[object, ...]], list[tuple[object, ...]], Database]


def test_nothing_that_existed_is_altered(migrated: Migrated) -> None:
    before, after, _ = migrated
    assert before
    assert after == before


async def test_a_request_is_claimed_completed_and_replayed(migrated: Migrated) -> None:
    async with open_database(migrated[2].gateway_url) as opened:
        store = PostgresStore(opened, GENEROUS)
        claim = claim_of(uuid4())
        assert await start(store, claim) is Found.CLAIMED
        await store.complete(claim, ANSWER)
        assert await start(store, claim_of(claim.key)) is Found.REPLAYED
        assert await start(store, claim_of(claim.key, user=BOB)) is Found.CLAIMED


async def test_users_see_their_own_rows_and_anon_none(migrated: Migrated) -> None:
    async with open_database(migrated[2].gateway_url) as opened:
        user = uuid4()
        await start(PostgresStore(opened, GENEROUS), claim_of(uuid4(), user=user))
    async with acting_as(migrated[2], "authenticated", user) as connection:
        assert await connection.fetchval(COUNT) == 1
    async with acting_as(migrated[2], "anon") as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetchval(COUNT)


@pytest.mark.parametrize("role", ["anon", "authenticated"])
async def test_the_privileges_that_everyone_gets_there_do_not_reach_our_functions(
    migrated: Migrated, role: str
) -> None:
    async with acting_as(migrated[2], role, ALICE) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetchrow("select frond.delete_expired_keys(1)")


async def test_cleanup_runs_and_the_login_is_not_the_service_role(migrated: Migrated) -> None:
    async with open_database(migrated[2].gateway_url) as opened:
        await PostgresExpiredRows(opened).delete_keys(10)
    async with login(migrated[2]) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("set role service_role")
