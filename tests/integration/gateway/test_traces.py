"""One request as a collector and Triton see it, all the way from the caller's header."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from stack import triton as triton_part
from tests.collector import Collector, collecting
from tests.conftest import RunningTriton, models_are_ready
from tests.conftest import serving as serving_process
from tests.fake_triton import FakeTriton, serving
from tests.gateways import Gateway, SigningKey, form, png, serve, settings_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.gateway.conftest import Database

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"


class NotingTriton(FakeTriton):
    """Keeps the metadata of a user's call."""

    def __init__(self) -> None:
        super().__init__()
        self.metadata: dict[str, str] = {}

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.id != "probe":
            self.metadata = dict(context.invocation_metadata())
        return await super().ModelInfer(request, context)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def tracing_triton(triton: RunningTriton, tmp_path: Path, collector: Collector) -> Iterator[str]:
    """The gRPC address of a second Triton, which traces what comes with a context, and nothing else."""
    addresses, prefix = triton_part.Addresses.pick(), f"frond-test-{os.getpid()}-otlp-"
    backends = triton.model_repository.parent / "backends"
    traces_url = f"{collector.url}/v1/traces"
    command = triton_part.serve_command(triton.model_repository, backends, addresses, prefix, traces_url=traces_url)
    models = ["classifier", "diagnose"]
    with serving_process(command, tmp_path / "log", signal.SIGTERM, lambda: models_are_ready(addresses.http, models)):
        yield addresses.grpc
    triton_part.sweep_shared_memory(prefix)


async def diagnose(folder: Path, database: Database, triton: str, collector: Collector, sample_ratio: float) -> None:
    """As a caller whose own trace is not recorded, and one whose is: it makes no difference."""
    key = SigningKey()
    settings = settings_in(
        folder,
        key,
        database_url=database.gateway_url,
        triton_grpc=triton,
        otlp_endpoint=collector.url,
        trace_sample_ratio=sample_ratio,
    )
    async with serve(settings) as client:
        headers = Gateway(client, key, settings).headers()
        headers["traceparent"] = f"00-{TRACE_ID}-{SPAN_ID}-{'00' if sample_ratio else '01'}"
        assert (await client.post("/v1/ai-inference", files=form(png()), headers=headers)).status_code == 200


async def test_a_recorded_request_is_one_trace_from_the_caller_through_its_stages_to_triton(
    tmp_path: Path, shared_database: Database, collector: Collector
) -> None:
    triton = NotingTriton()
    async with serving(triton) as address:
        await diagnose(tmp_path, shared_database, address, collector, sample_ratio=1)
    spans = collector.until("POST /v1/ai-inference", "auth", "body", "claim", "validate", "infer", "complete")
    request = spans["POST /v1/ai-inference"]
    assert request.trace_id.hex() == TRACE_ID
    assert request.parent_span_id.hex() == SPAN_ID
    for stage in ("auth", "body", "claim", "validate", "infer", "complete"):
        assert spans[stage].trace_id == request.trace_id
        assert spans[stage].parent_span_id == request.span_id
    assert triton.metadata["traceparent"] == f"00-{TRACE_ID}-{spans['infer'].span_id.hex()}-01"


async def test_of_a_request_that_is_not_recorded_neither_collector_nor_triton_hears(
    tmp_path: Path, shared_database: Database, collector: Collector
) -> None:
    triton = NotingTriton()
    async with serving(triton) as address:
        await diagnose(tmp_path, shared_database, address, collector, sample_ratio=0)
    assert triton.requests
    assert "traceparent" not in triton.metadata
    assert collector.spans == {}


async def test_tritons_own_spans_lie_below_the_gateways(
    tmp_path: Path, shared_database: Database, collector: Collector, tracing_triton: str
) -> None:
    await diagnose(tmp_path, shared_database, tracing_triton, collector, sample_ratio=0)
    for _ in range(3):  # Triton 24.10 overlooks one context in twenty
        await diagnose(tmp_path, shared_database, tracing_triton, collector, sample_ratio=1)
    spans = collector.until("infer", "diagnose", "InferRequest", "diagnose.postprocess")
    assert spans["InferRequest"].trace_id.hex() == TRACE_ID
    assert spans["InferRequest"].parent_span_id in {each.span_id for each in collector.received if each.name == "infer"}
    for name in ("InferRequest", "diagnose.postprocess"):
        assert len([span for span in collector.received if span.name == name]) <= 3
