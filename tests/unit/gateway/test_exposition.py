"""`/metrics` on an address of its own."""

from __future__ import annotations

import asyncio
import socket

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.exposition import open_exposition
from gateway.memory import Memory
from gateway.metrics import Metrics
from tests.gateways import ALICE

HOST = "127.0.0.1"


async def scrape(address: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.get(f"http://{address}/metrics")


async def test_what_was_counted_can_be_scraped() -> None:
    metrics = Metrics()
    metrics.idempotency.labels("replayed").inc()
    with metrics.stage("claim"):
        pass
    Memory(100, metrics.held_bytes).take(42, ALICE)
    async with open_exposition(metrics, HOST, 0) as address:
        assert address is not None
        answer = await scrape(address)
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["frond_gateway_idempotency_total", "replayed"] == 1
    assert samples["frond_gateway_stage_seconds_count", "claim"] == 1
    assert samples["frond_gateway_held_bytes",] == 42
    assert samples["process_resident_memory_bytes",] > 0
    assert [name for name, *_ in samples if name == "frond_gateway_build_info"]


async def test_a_client_that_says_nothing_holds_up_neither_scrapes_nor_the_end() -> None:
    async with asyncio.timeout(4), open_exposition(Metrics(), HOST, 0) as address:
        assert address is not None
        with socket.create_connection((HOST, int(address.rpartition(":")[2]))):
            assert (await scrape(address)).status_code == 200


async def test_an_address_that_is_taken_is_named() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"metrics cannot be served on 127\.0\.0\.1:{port}: Address already in use"):
            async with open_exposition(Metrics(), HOST, port):
                pass


async def test_without_a_port_there_is_no_address() -> None:
    async with open_exposition(Metrics(), HOST, None) as address:
        assert address is None
