"""The SDK in front of a real gateway with a real PostgreSQL, a fault-making proxy between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from frond.async_client import AsyncCloudInferenceClient
from frond.client import CloudInferenceClient
from frond.configuration import ClientOptions
from frond.options import PhotoSource, PredictOptions
from frond.policy.retry import RetryPolicy
from frond.reports import Reporting
from frond.types import ImageReference, PlantContext
from gateway.migrate import migrate, read_migrations
from tests.gateways import FakeDiagnoser, SigningKey, parts_with, serve, settings_in
from tests.integration.gateway.conftest import PASSWORD, Database, administration
from tests.integration.sdk.callers import Caller, WaitingCaller
from tests.integration.sdk.faults import FaultProxy, fault_proxy

if TYPE_CHECKING:
    from tests.conftest import RunningPostgres, RunningTriton

DATABASE = "frond_sdk"


@pytest.fixture(scope="session")
def sdk_database(postgres: RunningPostgres) -> Database:
    """Migrated; the tests' random keys keep them apart."""

    async def make() -> None:
        async with administration(postgres) as connection:
            await connection.execute(f"create database {DATABASE}")
            await migrate(postgres.url(DATABASE), read_migrations())
            await connection.execute(f"alter role frond_gateway password '{PASSWORD}'")

    asyncio.run(make())
    return Database(DATABASE, postgres.url(DATABASE), postgres.url(DATABASE, "frond_gateway", PASSWORD))


@dataclass(frozen=True)
class Service:
    """A gateway behind the proxy, and what the test commands of it; `waits`: whether callers have no event loop."""

    proxy: FaultProxy
    key: SigningKey
    diagnoser: FakeDiagnoser
    database: Database
    waits: bool = False

    def options(self, **changes: Any) -> ClientOptions:
        wanted: dict[str, Any] = {
            "retry": RetryPolicy(base_seconds=0.01, cap_seconds=0.05),
            "reporting": Reporting(sample_ratio=0),
        }
        return ClientOptions(**wanted | changes)

    def client(self, token: Any = None, refresh_token: Any = None, **changes: Any) -> AsyncCloudInferenceClient:
        return AsyncCloudInferenceClient(
            self.proxy.url,
            token or self.key.token(),
            refresh_token=refresh_token,
            options=self.options(**changes),
        )

    def sync_client(self, **changes: Any) -> CloudInferenceClient:
        return CloudInferenceClient(self.proxy.url, self.key.token(), options=self.options(**changes))

    def caller(self, token: Any = None, refresh_token: Any = None, url: str | None = None, **changes: Any) -> Caller:
        """The asynchronous client, or the other as one."""
        kind = WaitingCaller if self.waits else AsyncCloudInferenceClient
        return kind(
            url or self.proxy.url,
            token or self.key.token(),
            refresh_token=refresh_token,
            options=self.options(**changes),
        )

    async def statuses_of(self, key: object) -> list[str]:
        """Of the rows that are stored for an idempotency key."""
        connection = await asyncpg.connect(self.database.owner_url)
        try:
            rows = await connection.fetch(
                "select status::text from idempotency_keys where idempotency_key = $1::uuid", str(key)
            )
            return [row["status"] for row in rows]
        finally:
            await connection.close()


@pytest.fixture
async def service(tmp_path: Path, sdk_database: Database) -> AsyncIterator[Service]:
    key, diagnoser = SigningKey(), FakeDiagnoser()
    async with fault_proxy() as proxy:
        settings = settings_in(tmp_path, key, database_url=sdk_database.gateway_url, public_url=proxy.url)
        async with serve(settings, parts_with(diagnoser)) as client:
            assert client.base_url.port is not None
            proxy.target_port = client.base_url.port
            yield Service(proxy, key, diagnoser, sdk_database)


@pytest.fixture
async def real_service(tmp_path: Path, sdk_database: Database, triton: RunningTriton) -> AsyncIterator[Service]:
    """With a Triton."""
    key = SigningKey()
    async with fault_proxy() as proxy:
        settings = settings_in(
            tmp_path,
            key,
            database_url=sdk_database.gateway_url,
            public_url=proxy.url,
            triton_grpc=triton.grpc,
        )
        async with serve(settings) as client:
            assert client.base_url.port is not None
            proxy.target_port = client.base_url.port
            yield Service(proxy, key, FakeDiagnoser(), sdk_database)


def order(*photos: PhotoSource | ImageReference, **changes: Any) -> PredictOptions:
    wanted: dict[str, Any] = {"photos": photos, "assessment_id": "a-1", "plant_context": PlantContext(id="p-1")}
    return PredictOptions(**wanted | changes)
