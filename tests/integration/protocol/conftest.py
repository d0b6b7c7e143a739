"""Gateways with a real Triton and a real PostgreSQL, and NVIDIA's own clients pointed at them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
import numpy as np
import pytest
import tritonclient.grpc.aio
import tritonclient.http

from gateway.migrate import migrate, read_migrations
from stack.ports import free_ports
from tests.gateways import Gateway, SigningKey, serve, settings_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.conftest import RunningPostgres, RunningTriton

T = TypeVar("T")

DATABASE, PASSWORD = "frond_protocol", "of-the-tests"
MODELS = "diagnose,classifier"


@dataclass(frozen=True)
class Served(Gateway):
    """A gateway with both transports."""

    http: str
    grpc: str
    triton: RunningTriton

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key.token()}"}

    async def over_http(self, work: Callable[[tritonclient.http.InferenceServerClient], T]) -> T:
        """NVIDIA's client in a thread: it is gevent's, and blocks."""

        def run() -> T:
            with tritonclient.http.InferenceServerClient(self.http) as client:
                return work(client)

        return await asyncio.to_thread(run)

    @asynccontextmanager
    async def over_grpc(self, address: str | None = None) -> AsyncIterator[Any]:
        async with tritonclient.grpc.aio.InferenceServerClient(address or self.grpc) as client:
            yield client


@pytest.fixture(scope="session")
def database_url(postgres: RunningPostgres) -> str:
    async def make() -> None:
        connection = await asyncpg.connect(postgres.url())
        await connection.execute(f"create database {DATABASE}")
        await migrate(postgres.url(DATABASE), read_migrations())
        await connection.execute(f"alter role frond_gateway password '{PASSWORD}'")
        await connection.close()

    asyncio.run(make())
    return postgres.url(DATABASE, "frond_gateway", PASSWORD)


@pytest.fixture
def open_gateway(tmp_path: Path, database_url: str, triton: RunningTriton) -> Callable[..., Any]:
    return partial(opened, tmp_path, database_url, triton)


@asynccontextmanager
async def opened(folder: Path, database_url: str, triton: RunningTriton, **changes: Any) -> AsyncIterator[Served]:
    (port,) = free_ports(1)
    key = SigningKey()
    given = {"database_url": database_url, "triton_grpc": triton.grpc, "grpc_port": port, "protocol_models": MODELS}
    settings = settings_in(folder, key, **(given | changes))
    async with serve(settings) as client:
        yield Served(client, key, settings, client.base_url.netloc.decode(), f"127.0.0.1:{port}", triton)


@pytest.fixture
async def served(open_gateway: Callable[..., Any]) -> AsyncIterator[Served]:
    async with open_gateway() as gateway:
        yield gateway


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
