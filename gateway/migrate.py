"""`python -m gateway.migrate`: bring a database up to the numbered files of `migrations/`."""

from __future__ import annotations

import asyncio
import hashlib
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from pydantic import ValidationError

from gateway.settings import MigrationSettings, reason

MIGRATIONS = Path(__file__).parents[1] / "migrations"
FILE_NAME = re.compile(r"(\d{4})_(\w+)\.sql")
LOCK = 0x66726F6E64  # «frond»: one runner at a time, whatever else the database's owner locks
# Waiting for a lock on a table blocks everyone who comes after; better to fail and be run again.
LOCK_TIMEOUT = "5s"
START_SECONDS = 30  # a database that starts beside us
RETRY_SECONDS = 0.5

BOOKKEEPING = """
create schema if not exists frond;
create table if not exists frond.migrations (
  version int primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now()
);
"""


class MigrationError(Exception):
    """The files and the database do not fit."""


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(folder: Path = MIGRATIONS) -> list[Migration]:
    """In order; raises `MigrationError` unless they are numbered 1, 2, 3, …"""
    found = [
        Migration(int(matched[1]), matched[2], path.read_text())
        for path in sorted(folder.glob("*.sql"))
        if (matched := FILE_NAME.fullmatch(path.name))
    ]
    if not found or [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"The files in {folder} are not numbered 0001, 0002, …")
    return found


async def migrate(url: str, migrations: list[Migration], lock_timeout: str = LOCK_TIMEOUT) -> list[Migration]:
    """Apply what is missing, each file in a transaction; returns what was applied."""
    connection = await connect(url)
    try:
        return [migration for migration in migrations if await apply(connection, migration, lock_timeout)]
    finally:
        await connection.close()


async def apply(connection: asyncpg.Connection, migration: Migration, lock_timeout: str) -> bool:
    """False if it was there already. The lock lasts as long as the transaction, so that it works through a pooler."""
    async with connection.transaction():
        await connection.execute(f"set local lock_timeout = '{lock_timeout}'")
        await connection.execute("select pg_advisory_xact_lock($1)", LOCK)
        await connection.execute(BOOKKEEPING)
        checksum = await connection.fetchval(
            "select checksum from frond.migrations where version = $1", migration.version
        )
        if checksum is not None and checksum != migration.checksum:
            raise MigrationError(f"Migration {migration.version} was changed after it was applied: add a new one.")
        if checksum is not None:
            return False
        await connection.execute(migration.sql)
        await connection.execute(
            "insert into frond.migrations (version, name, checksum) values ($1, $2, $3)",
            migration.version,
            migration.name,
            migration.checksum,
        )
        return True


async def connect(url: str) -> asyncpg.Connection:
    """Waits for a database that is still starting."""
    give_up_at = time.monotonic() + START_SECONDS
    while True:
        try:
            return await asyncpg.connect(url, timeout=5)
        except (OSError, asyncpg.CannotConnectNowError):
            if time.monotonic() > give_up_at:
                raise
            await asyncio.sleep(RETRY_SECONDS)


def main() -> None:
    try:
        url = MigrationSettings().migration_database_url.get_secret_value()
        applied = asyncio.run(migrate(url, read_migrations()))
    except (MigrationError, ValidationError, OSError, asyncpg.PostgresError) as error:
        sys.exit(f"The migrations were not applied: {reason(error)}")
    for migration in applied:
        print(f"applied {migration.version:04} {migration.name}")
    if not applied:
        print("nothing to apply")


if __name__ == "__main__":
    main()
