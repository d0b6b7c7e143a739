"""The gateway while a real Triton is stopped, killed, or has a release that is not loaded."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import uuid
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from stack.triton import CONTROL_HEADER
from tests.conftest import RunningTriton, running_triton
from tests.fake_triton import FakeTriton, serving
from tests.gateways import Gateway, png, serve, settings_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.gateways import SigningKey
    from tests.integration.gateway.conftest import Database

    Open = Callable[..., AbstractAsyncContextManager[Gateway]]


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    """A Triton that these tests may harm; each leaves it running and whole."""
    with running_triton(tmp_path_factory.mktemp("fragile")) as running:
        yield running


@pytest.fixture
def opened(tmp_path: Path, key: SigningKey, shared_database: Database) -> Open:
    """A gateway in front of the given Tritons."""

    @asynccontextmanager
    async def opening(*addresses: str, **changes: Any) -> AsyncIterator[Gateway]:
        changes |= {"database_url": shared_database.gateway_url, "triton_grpc": ",".join(addresses)}
        settings = settings_in(tmp_path, key, rate_limit_burst=1000, **changes)
        async with serve(settings) as client:
            yield Gateway(client, key, settings)

    return opening


@contextmanager
def registered(triton: RunningTriton, version: str) -> Iterator[None]:
    """A release of which there is no more than the entry."""
    path = triton.model_repository / "releases.json"
    before = path.read_text()
    content = json.loads(before)
    content["releases"][version] = "classifier_of_nobody"
    path.write_text(json.dumps(content))
    try:
        yield
    finally:
        path.write_text(before)


@contextmanager
def unloaded(triton: RunningTriton, model: str) -> Iterator[None]:
    headers = {CONTROL_HEADER: triton.addresses.control_key}
    with httpx2.Client(base_url=f"http://{triton.http}/v2/", headers=headers, trust_env=False, timeout=60) as client:
        client.post(f"repository/models/{model}/unload").raise_for_status()
        try:
            yield
        finally:
            client.post(f"repository/models/{model}/load").raise_for_status()


async def is_ready(gateway: Gateway) -> bool:
    report = (await gateway.client.get("/health/ready")).json()
    return bool(report["parts"]["triton"]["ready"])


async def seconds_until(gateway: Gateway, *, ready: bool, at_most: float) -> float:
    started = time.monotonic()
    while await is_ready(gateway) is not ready:
        assert time.monotonic() - started < at_most
        await asyncio.sleep(0.05)
    return time.monotonic() - started


def code_of(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


async def test_a_stopped_triton_is_found_out_and_found_again(opened: Open, fragile: RunningTriton) -> None:
    """SIGSTOP: its kernel acknowledges everything, and nobody answers."""
    async with opened(fragile.grpc) as gateway:
        key = str(uuid.uuid4())
        assert (await gateway.diagnose(png(), key=key)).status_code == 200
        os.kill(fragile.process_id, signal.SIGSTOP)
        try:
            stopped_at = time.monotonic()
            in_flight = await asyncio.gather(*(gateway.diagnose(png()) for _ in range(4)))
            # Retryable, and while there is time left: not a timeout.
            assert {code_of(response) for response in in_flight} == {(503, "triton_unavailable")}
            await seconds_until(gateway, ready=False, at_most=5)
            assert time.monotonic() - stopped_at < 6  # 3 s for the ping, and a busy machine's
            refused_at = time.monotonic()
            assert code_of(await gateway.diagnose(png())) == (503, "triton_unavailable")
            assert time.monotonic() - refused_at < 0.5
            replayed = await gateway.diagnose(png(), key=key)
            assert replayed.headers["idempotency-replayed"] == "true"
            await gateway.upload(png(7))
        finally:
            os.kill(fragile.process_id, signal.SIGCONT)
        await seconds_until(gateway, ready=True, at_most=10)
        assert (await gateway.diagnose(png())).status_code == 200


async def test_an_idle_gateway_finds_out_too(opened: Open, fragile: RunningTriton) -> None:
    async with opened(fragile.grpc) as gateway:
        await seconds_until(gateway, ready=True, at_most=10)
        os.kill(fragile.process_id, signal.SIGSTOP)
        try:
            await seconds_until(gateway, ready=False, at_most=15)
        finally:
            os.kill(fragile.process_id, signal.SIGCONT)
        await seconds_until(gateway, ready=True, at_most=10)


async def test_with_a_second_triton_nobody_notices_that_one_is_stopped(opened: Open, fragile: RunningTriton) -> None:
    async with serving(FakeTriton()) as other, opened(fragile.grpc, other) as gateway:
        await seconds_until(gateway, ready=True, at_most=10)
        os.kill(fragile.process_id, signal.SIGSTOP)
        try:
            answers = await asyncio.gather(*(gateway.diagnose(png()) for _ in range(20)))
            assert {answer.status_code for answer in answers} == {200}
            assert await is_ready(gateway)
        finally:
            os.kill(fragile.process_id, signal.SIGCONT)


async def test_with_a_second_triton_nobody_notices_that_one_is_killed(
    opened: Open, triton: RunningTriton, tmp_path: Path
) -> None:
    with running_triton(tmp_path) as mortal:
        async with opened(triton.grpc, mortal.grpc) as gateway:
            numbers = iter(range(200))
            statuses: list[int] = []

            async def worker() -> None:
                for number in numbers:
                    if number == 60:
                        os.kill(mortal.process_id, signal.SIGKILL)
                    statuses.append((await gateway.diagnose(png(number % 200))).status_code)

            await asyncio.gather(*(worker() for _ in range(8)))
            assert statuses == [200] * 200
            report = (await gateway.client.get("/health/ready")).json()
            assert report["ready"]
            number = 1 + sorted((triton.grpc, mortal.grpc)).index(mortal.grpc)
            assert report["parts"]["triton"]["reason"] == f"Triton {number}: refused"


async def test_a_version_that_is_registered_and_not_loaded_may_be_asked_for_again(
    opened: Open, fragile: RunningTriton
) -> None:
    with registered(fragile, "unloaded"):
        async with opened(fragile.grpc) as gateway:
            for _ in range(5):
                assert code_of(await gateway.diagnose(png(), modelVersion="unloaded")) == (
                    503,
                    "model_version_unavailable",
                )
            assert code_of(await gateway.diagnose(png(), modelVersion="unknown")) == (422, "model_version_unknown")
            assert (await gateway.diagnose(png())).status_code == 200  # it was no fault of the address


async def test_while_the_promoted_release_is_not_loaded_the_degraded_one_answers_and_is_marked(
    opened: Open, fragile: RunningTriton, triton: RunningTriton
) -> None:
    with unloaded(fragile, "classifier"):
        async with opened(fragile.grpc, degraded_version="1", degraded_triton_grpc=triton.grpc) as gateway:
            answer = await gateway.diagnose(png())
            assert (answer.status_code, answer.json()["result"]["degraded"]) == (200, True)
            assert (await gateway.client.get("/health/ready")).status_code == 200
        async with opened(fragile.grpc) as gateway:
            assert code_of(await gateway.diagnose(png())) == (503, "model_version_unavailable")
    async with opened(fragile.grpc, degraded_version="1", degraded_triton_grpc=triton.grpc) as gateway:
        assert (await gateway.diagnose(png())).json()["result"]["degraded"] is False
