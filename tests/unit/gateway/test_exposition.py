"""`/metrics` on an address of its own."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import httpx2
import pytest
from opentelemetry.context import Context
from opentelemetry.trace import use_span
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from gateway.edge import count
from gateway.exposition import open_exposition
from gateway.memory import Memory
from gateway.metrics import Metrics
from gateway.tracing import exemplar_of, open_tracing
from tests.collector import collecting
from tests.gateways import ALICE, SigningKey, settings_in

if TYPE_CHECKING:
    from pathlib import Path

HOST = "127.0.0.1"


OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"  # as Prometheus asks


async def scrape(address: str, accept: str = "text/plain") -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.get(f"http://{address}/metrics", headers={"Accept": accept})


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


async def test_a_time_leads_to_the_trace_of_a_request_that_is_recorded_and_of_no_other(tmp_path: Path) -> None:
    with collecting() as collector:
        settings = settings_in(tmp_path, SigningKey(), otlp_endpoint=collector.url, trace_sample_ratio=1)
        async with open_tracing(settings) as tracing:
            metrics = Metrics(tracing.tracer)
            span = tracing.begin("POST", Context())
            assert span is not None
            with use_span(span, end_on_exit=True), metrics.stage("infer"):
                pass
            with metrics.stage("claim"):
                pass
            count(metrics, "/recorded", 200, None, 0.02, exemplar=exemplar_of(span))
            count(metrics, "/not-recorded", 200, None, 0.02, exemplar=exemplar_of(None))
            async with open_exposition(metrics, HOST, 0) as address:
                assert address is not None
                answer = await scrape(address, OPENMETRICS)
        collector.until("infer")
    exemplars = {
        sample.labels.get("stage") or sample.labels["route"]: sample.exemplar.labels
        for family in openmetrics.text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call]
        for sample in family.samples
        if sample.exemplar is not None
    }
    trace_id = format(span.get_span_context().trace_id, "032x")
    infer_id = collector.spans["infer"].span_id.hex()
    assert exemplars == {
        "infer": {"trace_id": trace_id, "span_id": infer_id},
        "/recorded": {"trace_id": trace_id, "span_id": format(span.get_span_context().span_id, "016x")},
    }


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
