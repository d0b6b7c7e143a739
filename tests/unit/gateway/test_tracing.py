"""Which requests are recorded, what Triton is told, and what a collector gets."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import set_span_in_context

from frond.types import DiagnosisRequest
from gateway.body import validate
from gateway.errors import InvalidRequestError
from gateway.metrics import Metrics
from gateway.tracing import END_SECONDS, Tracing, caller_context, open_tracing, outgoing_headers, traces_url
from tests.collector import Collector, collecting
from tests.gateways import SigningKey, settings_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.settings import Settings

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"
CALLER = f"00-{TRACE_ID}-{SPAN_ID}-".encode()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


def settings_for(folder: Path, **changes: Any) -> Settings:
    return settings_in(folder, SigningKey(), **changes)


def tracing_with(sample_ratio: float) -> Tracing:
    return Tracing(TracerProvider(ALWAYS_ON, shutdown_on_exit=False).get_tracer("test"), sample_ratio)


@pytest.mark.parametrize("flags", [b"00", b"01"])
def test_neither_flag_nor_id_of_the_caller_decides_what_is_recorded(flags: bytes) -> None:
    context, _ = caller_context(CALLER + flags, None)
    tracing = tracing_with(0.5)
    recorded = [tracing.begin("GET", context) is not None for _ in range(200)]
    assert 40 < sum(recorded) < 160  # 8 standard deviations


def test_a_recorded_request_is_in_the_callers_trace_below_its_span() -> None:
    context, caller = caller_context(CALLER + b"00", b"vendor=1")
    span: Any = tracing_with(1).begin("GET", context)
    assert span.parent == caller
    assert format(span.get_span_context().trace_id, "032x") == TRACE_ID
    assert span.get_span_context().trace_flags.sampled


def test_nothing_is_recorded_at_ratio_zero() -> None:
    assert tracing_with(0).begin("GET", Context()) is None


def test_triton_is_told_the_current_span() -> None:
    context, _ = caller_context(CALLER + b"00", b"vendor=1")
    span = tracing_with(1).begin("GET", context)
    assert span is not None
    token = attach(set_span_in_context(span))
    headers = dict(outgoing_headers())
    detach(token)
    assert headers == {
        "traceparent": f"00-{TRACE_ID}-{span.get_span_context().span_id:016x}-01",
        "tracestate": "vendor=1",
    }


def test_of_a_request_that_is_not_recorded_triton_is_told_nothing() -> None:
    assert outgoing_headers() == ()


def test_a_long_tracestate_goes_no_further() -> None:
    """Triton takes 8 KB of headers: a caller could make its calls fail, and open the breaker for all."""
    context, _ = caller_context(CALLER + b"00", b",".join(b"key%d=%s" % (number, b"v" * 250) for number in range(16)))
    span = tracing_with(1).begin("GET", context)
    assert span is not None
    token = attach(set_span_in_context(span))
    headers = dict(outgoing_headers())
    detach(token)
    assert list(headers) == ["traceparent"]


async def test_a_span_repeats_nothing_that_the_caller_sent(tmp_path: Path, collector: Collector) -> None:
    settings = settings_for(tmp_path, otlp_endpoint=collector.url, trace_sample_ratio=1)
    async with open_tracing(settings) as tracing:
        metrics = Metrics(tracing.tracer)
        span = tracing.begin("POST /x", Context())
        assert span is not None
        token = attach(set_span_in_context(span))
        with pytest.raises(InvalidRequestError), metrics.stage("body"):
            validate(DiagnosisRequest, b'{"images": [{"url": "ftp://photos.test/a?signature=SECRET"}]}')
        detach(token)
        span.end()
    collector.until("POST /x", "body")
    assert "SECRET" not in str(collector.received)


async def test_spans_of_a_request_and_its_stages_reach_the_collector_below_each_other(
    tmp_path: Path, collector: Collector
) -> None:
    settings = settings_for(tmp_path, otlp_endpoint=collector.url, trace_sample_ratio=1)
    async with open_tracing(settings) as tracing:
        metrics = Metrics(tracing.tracer)
        span = tracing.begin("POST /x", caller_context(CALLER + b"01", None)[0])
        assert span is not None
        token = attach(set_span_in_context(span))
        with metrics.stage("claim"), metrics.stage("infer"):
            pass
        detach(token)
        span.end()
    spans = collector.until("POST /x", "claim", "infer")
    assert spans["POST /x"].parent_span_id.hex() == SPAN_ID
    assert spans["claim"].parent_span_id == spans["POST /x"].span_id
    assert spans["infer"].parent_span_id == spans["claim"].span_id
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE_ID}
    assert collector.paths == {"/v1/traces"}


async def test_without_an_endpoint_nothing_is_recorded(tmp_path: Path) -> None:
    async with open_tracing(settings_for(tmp_path, trace_sample_ratio=1)) as tracing:
        assert tracing.begin("GET", Context()) is None


@pytest.mark.parametrize("fault", ["hangs", "is not there"])
async def test_a_collector_that_does_not_answer_delays_neither_requests_nor_the_end(
    tmp_path: Path, collector: Collector, fault: str
) -> None:
    collector.hangs.set()
    url = collector.url if fault == "hangs" else "http://127.0.0.1:1"
    async with open_tracing(settings_for(tmp_path, otlp_endpoint=url, trace_sample_ratio=1)) as tracing:
        started = time.monotonic()
        for _ in range(6000):  # more than are queued
            span = tracing.begin("GET", Context())
            assert span is not None
            span.end()
        await asyncio.sleep(0)
        assert time.monotonic() - started < 5
        started = time.monotonic()
    assert time.monotonic() - started < END_SECONDS + 2


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("http://collector:4318/", "http://collector:4318/v1/traces"),
        ("https://collector/otlp/v1/traces", "https://collector/otlp/v1/traces"),
    ],
)
def test_an_endpoint_without_a_path_gets_that_of_otlp(endpoint: str, expected: str) -> None:
    assert traces_url(endpoint) == expected
