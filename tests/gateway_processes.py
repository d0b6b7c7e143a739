"""Gateways, Tritons and a PostgreSQL as processes of a test, alone and together."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx2
from pydantic import SecretStr

from gateway.migrate import migrate, read_migrations
from stack import postgres as postgres_part
from stack import trees
from stack import triton as triton_part
from stack.command import Command
from stack.database import GATEWAY_LOGIN, PYTHON_ENVIRONMENT, remove_stale_process_id
from stack.paths import ROOT
from stack.ports import free_ports
from tests.gateways import ALICE, PATH, SigningKey, form, settings_in
from tests.server_process import Server, is_ok, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from gateway.settings import Settings

PASSWORD = "of-the-tests"
# For tests that ask more often than a person does.
NO_RATE_LIMIT: dict[str, Any] = {"rate_limit_burst": 100_000, "rate_limit_per_minute": 1_000_000}


async def are_ready(http: str, models: list[str]) -> bool:
    return all([await is_ok(f"http://{http}/v2/models/{model}/ready") for model in models])


def environment_of(settings: Settings) -> dict[str, str]:
    """The settings as the process reads them."""
    return {f"FROND_{name.upper()}": text_of(value) for name, value in settings if value not in (None, ())}


def text_of(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ",".join(value) if isinstance(value, tuple) else str(value)


@dataclass
class GatewayServer(Server):
    """`python -m gateway`."""

    settings: Settings = field(kw_only=True)
    signing_key: SigningKey = field(kw_only=True)

    @classmethod
    def of(cls, settings: Settings, signing_key: SigningKey, log: Path, *, program: str | None = None) -> GatewayServer:
        """On the settings' port, or a free one if that is 0; `program` is Python that runs the module its own way."""
        settings = settings.model_copy(update={"port": settings.port or free_ports(1)[0]})
        url = f"http://127.0.0.1:{settings.port}"
        how = ("-m", "gateway") if program is None else ("-c", program)
        return cls(
            log.stem,
            Command((sys.executable, *how), {**PYTHON_ENVIRONMENT, **environment_of(settings)}),
            log,
            lambda: is_ok(f"{url}/health/ready"),
            settings=settings,
            signing_key=signing_key,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.port}"

    async def ask(
        self, client: httpx2.AsyncClient, key: uuid.UUID, *photos: bytes, deadline_ms: int | None = None
    ) -> httpx2.Response:
        """One try of a request of Alice's."""
        headers = {"Authorization": f"Bearer {self.signing_key.token(ALICE)}", "Idempotency-Key": str(key)}
        if deadline_ms is not None:
            headers["X-Frond-Deadline-Ms"] = str(deadline_ms)
        return await client.post(self.url + PATH, files=form(*photos), headers=headers)

    async def ask_until_answered(
        self, client: httpx2.AsyncClient, key: uuid.UUID, photo: bytes, seconds: float
    ) -> httpx2.Response:
        """As a client does: again, when the error says so, as long as it says so."""
        async with asyncio.timeout(seconds):
            while True:
                response = await self.ask(client, key, photo)
                error = response.json()["error"]
                if error is None or not error["retryable"]:
                    return response
                await asyncio.sleep(error["retryAfterMs"] / 1000)


@dataclass
class TritonServer(Server):
    """tritonserver over a copy of the model repository."""

    addresses: triton_part.Addresses = field(kw_only=True)
    shared_memory_prefix: str = field(kw_only=True)

    @classmethod
    def of(cls, folder: Path) -> TritonServer:
        folder.mkdir(exist_ok=True)
        trees.copy(ROOT / "model_repository", folder / "model_repository")
        triton_part.prepare_backends(folder / "backends")
        addresses = triton_part.Addresses.pick()
        models = [config.parent.name for config in folder.glob("model_repository/*/config.pbtxt")]
        prefix = f"frond-test-{os.getpid()}-{uuid.uuid4().hex[:8]}-"
        command = triton_part.serve_command(folder / "model_repository", folder / "backends", addresses, prefix)
        return cls(
            folder.name,
            command,
            folder / "triton.log",
            lambda: are_ready(addresses.http, models),
            lambda: triton_part.sweep_shared_memory(prefix),
            addresses=addresses,
            shared_memory_prefix=prefix,
        )

    async def stop(self) -> None:
        await super().stop()
        triton_part.sweep_shared_memory(self.shared_memory_prefix)

    def shared_memory_bytes(self) -> int:
        return sum(region.stat().st_size for region in triton_part.SHARED_MEMORY.glob(f"{self.shared_memory_prefix}*"))


async def count(metrics: str, model: str, of: str) -> int:
    """Triton's own counter `nv_inference_…` of a model, over all its versions."""
    async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
        text = (await client.get(f"http://{metrics}/metrics")).text
    pattern = rf'^nv_inference_{of}{{model="{model}",[^}}]*}} (\d+)$'
    return sum(int(counted) for counted in re.findall(pattern, text, re.MULTILINE))


@dataclass
class PostgresServer(Server):
    """A cluster of its own, with the migrated database `frond`."""

    cluster: postgres_part.Cluster = field(kw_only=True)
    port: int = field(kw_only=True)

    @classmethod
    def of(cls, folder: Path) -> PostgresServer:
        cluster = postgres_part.prepare(folder)
        (port,) = free_ports(1)
        url = cluster.url(port, "postgres")
        return cls(
            folder.name,
            postgres_part.serve_command(cluster, port),
            folder / "postgres.log",
            lambda: postgres_part.answers(url),
            lambda: remove_stale_process_id(cluster.data),
            signal.SIGINT,
            cluster=cluster,
            port=port,
        )

    @property
    def owner_url(self) -> str:
        return self.cluster.url(self.port, "frond")

    @property
    def gateway_url(self) -> str:
        return self.cluster.url(self.port, "frond", GATEWAY_LOGIN, PASSWORD)

    async def make_database(self) -> None:
        connection = await asyncpg.connect(self.cluster.url(self.port, "postgres"))
        try:
            await connection.execute("create database frond")
            await migrate(self.owner_url, read_migrations())
            await connection.execute(f"alter role {GATEWAY_LOGIN} password '{PASSWORD}'")
        finally:
            await connection.close()

    async def rows(self) -> dict[uuid.UUID, asyncpg.Record]:
        """All rows of `idempotency_keys`, by key; there is one user here."""
        connection = await asyncpg.connect(self.owner_url)
        try:
            rows = await connection.fetch("select *, response_payload::text as answer from public.idempotency_keys")
        finally:
            await connection.close()
        assert len({row["idempotency_key"] for row in rows}) == len(rows)
        return {row["idempotency_key"]: row for row in rows}


@dataclass(frozen=True)
class Site:
    """Gateways and Tritons over one PostgreSQL."""

    folder: Path
    postgres: PostgresServer
    tritons: tuple[TritonServer, ...]
    gateways: tuple[GatewayServer, ...]
    signing_key: SigningKey
    settings: Settings

    def another_gateway(self, name: str, *, program: str | None = None, **changes: Any) -> GatewayServer:
        """Not started yet; with the keys and the database of the others."""
        settings = type(self.settings).model_validate(dict(self.settings) | changes)
        return GatewayServer.of(settings, self.signing_key, self.folder / f"{name}.log", program=program)


@asynccontextmanager
async def site(
    folder: Path, *, gateways: int = 2, tritons: int = 1, models: Callable[[Path], None] | None = None, **changes: Any
) -> AsyncIterator[Site]:
    """All up and ready; `models` changes each Triton's repository before it starts."""
    postgres = PostgresServer.of(folder / "postgres")
    servers = tuple(TritonServer.of(folder / f"triton-{number}") for number in range(1, tritons + 1))
    for server in servers:
        if models is not None:
            models(folder / server.name / "model_repository")
    signing_key = SigningKey()
    addresses = tuple(server.addresses.grpc for server in servers)
    settings = settings_in(
        folder, signing_key, database_url=postgres.gateway_url, triton_grpc=addresses, drain_seconds=0, **changes
    )
    entries = tuple(
        GatewayServer.of(settings, signing_key, folder / f"gateway-{name}.log") for name in "abcdefgh"[:gateways]
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(postgres, *servers))
        await postgres.make_database()
        await stack.enter_async_context(running(*entries))
        yield Site(folder, postgres, servers, entries, signing_key, settings)
