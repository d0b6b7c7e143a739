"""`python -m gateway` and `python -m gateway.migrate` as processes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx2
import pytest

from stack.ports import free_ports
from tests import gateway_processes
from tests.fake_triton import FakeTriton, serving
from tests.gateways import Gateway, SigningKey, png, settings_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.settings import Settings
    from tests.conftest import RunningPostgres
    from tests.integration.gateway.conftest import Database

READY_SECONDS = 60


def environment_of(settings: Settings) -> dict[str, str]:
    return {**clean_environment(), **gateway_processes.environment_of(settings)}


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("FROND_")}


async def run(module: str, environment: dict[str, str]) -> tuple[int | None, str]:
    """Exit status and all output of a process that ends by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), READY_SECONDS)
    return process.returncode, output.decode()


@asynccontextmanager
async def started(environment: dict[str, str], log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", env=environment, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until_ready(client: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(READY_SECONDS):
        while True:
            try:
                response = await client.get("/health/ready")
            except httpx2.TransportError:
                await asyncio.sleep(0.05)
                continue
            if response.status_code == httpx2.codes.OK:
                return
            await asyncio.sleep(0.05)


async def test_on_sigterm_it_is_unready_finishes_what_has_begun_and_goes(tmp_path: Path, database: Database) -> None:
    fake, key = FakeTriton(), SigningKey()
    (port,) = free_ports(1)
    async with serving(fake) as triton:
        settings = settings_in(
            tmp_path, key, port=port, triton_grpc=triton, database_url=database.gateway_url, drain_seconds=0.5
        )
        async with (
            started(environment_of(settings), tmp_path / "log") as process,
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client,
        ):
            await until_ready(client)
            fake.gate, fake.arrived = asyncio.Event(), asyncio.Event()
            begun = asyncio.create_task(Gateway(client, key, settings).diagnose(png()))
            await fake.arrived.wait()
            process.send_signal(signal.SIGTERM)
            await until_draining(client)
            assert process.returncode is None
            fake.gate.set()
            assert (await begun).status_code == 200
            assert await asyncio.wait_for(process.wait(), 10) == 0
    log = (tmp_path / "log").read_text()
    assert '"route": "/v1/ai-inference"' in log
    assert "eyJ" not in log  # how every token begins


async def until_draining(client: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(5):
        while not (await client.get("/health/ready")).json()["draining"]:  # noqa: ASYNC110  (another process)
            await asyncio.sleep(0.01)


async def test_settings_that_are_missing_are_named_and_none_is_shown(tmp_path: Path) -> None:
    environment = {**clean_environment(), "FROND_DATABASE_URL": "postgresql://user:hidden@host/db"}
    status, output = await run("gateway", environment)
    assert status == 1
    assert "FROND_JWT_ISSUER: not set" in output
    assert "hidden" not in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("setting", "content", "words"),
    [
        ("jwks_file", b"{", "no JWKS"),
        ("jwks_file", b'{"keys": [{"kid": "1", "d": "x"}]}', "private key"),
        ("jwt_secret_file", b"short", "holds 5 bytes"),
        ("storage_signing_key_file", b"", "holds 0 bytes"),
    ],
)
async def test_a_file_that_holds_no_key_is_named_in_one_line(
    tmp_path: Path, setting: str, content: bytes, words: str
) -> None:
    file = tmp_path / "wrong"
    file.write_bytes(content)
    settings = settings_in(tmp_path, SigningKey(), **{setting: file})
    status, output = await run("gateway", {**clean_environment(), **environment_of(settings)})
    assert status == 3
    assert f"The gateway cannot start. {file}" in output
    assert words in output
    assert "Traceback" not in output
    assert "short" not in output


async def test_a_port_that_is_taken_is_named_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = settings_in(tmp_path, SigningKey(), grpc_port=port)
        status, output = await run("gateway", {**clean_environment(), **environment_of(settings)})
    assert (status, "Traceback" in output) == (3, False)
    assert f"The gateway cannot start. gRPC cannot be served on 127.0.0.1:{port}" in output


async def test_the_migrations_run_as_a_process_too(postgres: RunningPostgres, database: Database) -> None:
    environment = {**clean_environment(), "FROND_MIGRATION_DATABASE_URL": database.owner_url}
    assert await run("gateway.migrate", environment) == (0, "nothing to apply\n")


async def test_migrations_that_cannot_be_applied_say_why_and_not_the_password(postgres: RunningPostgres) -> None:
    url = postgres.url("no_such_database")
    status, output = await run("gateway.migrate", {**clean_environment(), "FROND_MIGRATION_DATABASE_URL": url})
    assert status == 1
    assert re.search("no_such_database.* does not exist", output)
    assert postgres.cluster.owner_password not in output
    assert "Traceback" not in output


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
async def test_without_a_database_and_triton_it_serves_says_so_and_stops(tmp_path: Path, sent: signal.Signals) -> None:
    (port,) = free_ports(1)
    settings = settings_in(tmp_path, SigningKey(), port=port, drain_seconds=0)
    async with (
        started(environment_of(settings), tmp_path / "log") as process,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client,
    ):
        parts = await first_report(client)
        assert parts["database"]["reason"].startswith("database_unavailable")
        assert parts["triton"]["reason"].startswith("triton_unavailable")
        process.send_signal(sent)
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def first_report(client: httpx2.AsyncClient) -> dict[str, dict[str, str]]:
    async with asyncio.timeout(READY_SECONDS):
        while True:
            try:
                parts: dict[str, dict[str, str]] = (await client.get("/health/ready")).json()["parts"]
            except httpx2.TransportError:
                await asyncio.sleep(0.05)
            else:
                return parts
