"""HTTP/2 where the server offers it and the extra `frond[http2]` is there; HTTP/1.1 otherwise."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from frond.errors import CloudTimeoutError
from frond.exchange import Wire
from tests.gateways import FakeDiagnoser, SigningKey, parts_with, png, settings_in
from tests.integration.sdk import faults
from tests.integration.sdk.conftest import Service, order
from tests.integration.sdk.tls_gateway import TlsGateway, tls_gateway

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.settings import Settings
    from tests.integration.gateway.conftest import Database
    from tests.integration.sdk.callers import Caller

PHOTOS = [png(shade) for shade in range(8)]
OFFERED, NOT_OFFERED = ["h2", "http/1.1"], ["http/1.1"]
CLIENT_HELLO, FINISHED = b"\x16\x03\x01", b"\x14\x03\x03"  # of a TLS 1.3 handshake, as the client sends it


@pytest.fixture(params=[False, True], ids=["with a loop", "without a loop"])
async def service(request: pytest.FixtureRequest, sdk_database: Database) -> AsyncIterator[Service]:
    async with faults.fault_proxy() as proxy:
        yield Service(proxy, SigningKey(), FakeDiagnoser(), sdk_database, waits=request.param)


@asynccontextmanager
async def reached(service: Service, folder: Path, protocols: list[str]) -> AsyncIterator[tuple[TlsGateway, Caller]]:
    """The gateway behind the proxy, and a caller that trusts its certificate."""
    proxied = f"https://127.0.0.1:{service.proxy.port}"

    def settings_with(url: str) -> Settings:
        service.proxy.target_port = int(url.rpartition(":")[2])
        return settings_in(folder, service.key, database_url=service.database.gateway_url, public_url=proxied)

    async with (
        tls_gateway(folder, settings_with, parts_with(service.diagnoser), protocols) as gateway,
        service.caller(url=proxied, wire=Wire(tls=gateway.trust())) as client,
    ):
        yield gateway, client


async def call_both_ways(client: Caller) -> None:
    for delivery in ("multipart", "signed_urls"):
        prediction = await client.predict(order(*PHOTOS, delivery=delivery))
        assert len(prediction.diagnosis.images) == len(PHOTOS)


async def test_it_is_used_where_it_is_offered_and_all_uploads_share_a_connection(
    service: Service, tmp_path: Path
) -> None:
    async with reached(service, tmp_path, OFFERED) as (gateway, client):
        await call_both_ways(client)
    assert gateway.versions == {"2"}
    assert len(gateway.connections) == 1


async def test_a_server_that_does_not_offer_it_is_spoken_to_in_http_1(service: Service, tmp_path: Path) -> None:
    async with reached(service, tmp_path, NOT_OFFERED) as (gateway, client):
        await call_both_ways(client)
    assert gateway.versions == {"1.1"}


async def test_without_the_extra_it_is_not_used(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h2", None)  # as if it were not installed
    async with reached(service, tmp_path, OFFERED) as (gateway, client):
        await call_both_ways(client)
    assert gateway.versions == {"1.1"}


@pytest.mark.parametrize("protocols", [OFFERED, NOT_OFFERED], ids=["HTTP/2", "HTTP/1.1"])
async def test_a_cancelled_call_is_over_at_the_service_too(
    service: Service, tmp_path: Path, protocols: list[str]
) -> None:
    """Long before the 5 s that the service would give it."""
    service = replace(service, waits=False)  # the other client's calls are cancelled by its end alone
    async with reached(service, tmp_path, protocols) as (_, client):
        await client.predict(order(PHOTOS[0]))
        service.diagnoser.gate, service.diagnoser.waiting = asyncio.Event(), asyncio.Event()
        call = asyncio.create_task(client.predict(order(PHOTOS[0])))
        await service.diagnoser.waiting.wait()
        call.cancel()
        async with asyncio.timeout(3):
            while not service.diagnoser.was_cancelled:  # noqa: ASYNC110  (it is no part of what is tested)
                await asyncio.sleep(0.01)
        service.diagnoser.gate = None
        assert (await client.predict(order(PHOTOS[1]))).attempts == 1


async def test_a_call_that_is_given_up_harms_no_other(service: Service, tmp_path: Path) -> None:
    async with reached(service, tmp_path, OFFERED) as (gateway, client):
        await client.predict(order(PHOTOS[0]))
        service.diagnoser.gate, service.diagnoser.waiting = asyncio.Event(), asyncio.Event()
        given_up = asyncio.create_task(client.predict(order(PHOTOS[0], timeout_seconds=1)))
        await service.diagnoser.waiting.wait()
        other = asyncio.create_task(client.predict(order(PHOTOS[1])))
        with pytest.raises(CloudTimeoutError):
            await given_up
        service.diagnoser.gate.set()
        assert (await other).attempts == 1
        assert (await client.predict(order(PHOTOS[2]))).attempts == 1
    assert len(gateway.connections) == 2


@pytest.mark.parametrize("trigger", [CLIENT_HELLO, FINISHED], ids=["in the handshake", "in the request"])
async def test_a_reset_costs_one_more_attempt(service: Service, tmp_path: Path, trigger: bytes) -> None:
    service.proxy.trigger = trigger
    async with reached(service, tmp_path, OFFERED) as (_, client):
        service.proxy.faults.append(faults.reset_at_once)
        prediction = await client.predict(order(PHOTOS[0]))
    assert prediction.attempts == 2
    assert await service.statuses_of(prediction.idempotency_key) == ["completed"]


@pytest.mark.parametrize("trigger", [CLIENT_HELLO, FINISHED], ids=["in the handshake", "in the request"])
async def test_a_stall_ends_with_the_deadline_and_the_next_call_takes_another_connection(
    service: Service, tmp_path: Path, trigger: bytes
) -> None:
    service.proxy.trigger = trigger
    async with reached(service, tmp_path, OFFERED) as (_, client):
        service.proxy.faults.append(faults.stall_in_request)
        with pytest.raises(CloudTimeoutError):
            await client.predict(order(PHOTOS[0], timeout_seconds=0.8))
        assert (await client.predict(order(PHOTOS[0]))).attempts == 1
