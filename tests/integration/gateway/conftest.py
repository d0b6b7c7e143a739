"""A migrated database for each test, copied from a template, and gateways over it."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg
import pytest

from gateway.database import open_database
from gateway.diagnoses.store import PostgresStore, RateLimit
from gateway.migrate import migrate, read_migrations
from tests.gateways import FakeDiagnoser, Gateway, SigningKey, parts_with, serve, settings_in
from tests.seaweed import Seaweed, running_seaweed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.conftest import RunningPostgres

TEMPLATE = "frond_template"
PASSWORD = "of-the-tests"
GENEROUS = RateLimit.per_minute(100_000, 1)


@dataclass(frozen=True)
class Database:
    """One database as its owner sees it, and as the gateway does."""

    name: str
    owner_url: str
    gateway_url: str

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self.owner_url)
        try:
            yield connection
        finally:
            await connection.close()


@asynccontextmanager
async def administration(postgres: RunningPostgres) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres.url())
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def template(postgres: RunningPostgres) -> str:
    async def make() -> None:
        async with administration(postgres) as connection:
            await connection.execute(f"create database {TEMPLATE}")
            await migrate(postgres.url(TEMPLATE), read_migrations())
            await connection.execute(f"alter role frond_gateway password '{PASSWORD}'")

    asyncio.run(make())
    return TEMPLATE


@pytest.fixture
async def database(postgres: RunningPostgres, template: str) -> AsyncIterator[Database]:
    """An empty one for this test."""
    async with administration(postgres) as connection:
        copy = await copy_template(postgres, template, connection)
        yield copy
        await connection.execute(f"drop database {copy.name} with (force)")


@pytest.fixture(scope="session")
def shared_database(postgres: RunningPostgres, template: str) -> Database:
    """For tests that ask over HTTP: their random keys keep them apart."""

    async def make() -> Database:
        async with administration(postgres) as connection:
            return await copy_template(postgres, template, connection)

    return asyncio.run(make())


async def copy_template(postgres: RunningPostgres, template: str, connection: asyncpg.Connection) -> Database:
    name = f"test_{uuid.uuid4().hex}"
    await connection.execute(f"create database {name} template {template}")
    return Database(name, postgres.url(name), postgres.url(name, "frond_gateway", PASSWORD))


@pytest.fixture
async def store(database: Database) -> AsyncIterator[PostgresStore]:
    async with open_database(database.gateway_url) as opened:
        yield PostgresStore(opened, GENEROUS)


@pytest.fixture
def key() -> SigningKey:
    return SigningKey()


@pytest.fixture
def diagnoser() -> FakeDiagnoser:
    return FakeDiagnoser()


@pytest.fixture
async def gateway(
    tmp_path: Path, key: SigningKey, shared_database: Database, diagnoser: FakeDiagnoser
) -> AsyncIterator[Gateway]:
    """With a real database, and a diagnoser that the test commands."""
    settings = settings_in(tmp_path, key, database_url=shared_database.gateway_url)
    async with serve(settings, parts_with(diagnoser)) as client:
        yield Gateway(client, key, settings)


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """An S3 server with one bucket; the tests' users and photos keep them apart."""
    with running_seaweed(tmp_path_factory.mktemp("seaweed")) as running:
        yield running
