"""Spans of calls and attempts where the app has OpenTelemetry, and the headers that lead the service's below them."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from frond.errors import CloudServerError, CloudTimeoutError
from tests.unit.sdk.services import Service, ok, order, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Tracer


OUTAGE = refusal(503, "server", "triton_unavailable", retryable=True, retryAfterMs=0)


class App:
    """With spans of its own."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    @property
    def tracer(self) -> Tracer:
        return self.provider.get_tracer("app")

    def spans(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


@pytest.fixture
def app() -> Iterator[App]:
    app = App()
    yield app
    app.provider.shutdown()


def header_of(span: Any) -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


async def test_each_attempt_is_a_span_below_the_calls_and_the_service_is_told_it(app: App) -> None:
    service = Service([OUTAGE, ok()])
    async with service.client(tracer=app.tracer) as client:
        await client.predict(order())
    (call,), attempts = app.spans("frond.predict"), app.spans("POST /v1/ai-inference")
    assert [request.headers["traceparent"] for request in service.requests] == [header_of(span) for span in attempts]
    assert [span.parent for span in attempts] == [call.get_span_context()] * 2
    assert {span.kind for span in attempts} == {SpanKind.CLIENT}


async def test_an_attempt_that_failed_says_why_and_no_more(app: App) -> None:
    service = Service([OUTAGE, ok()])
    async with service.client(tracer=app.tracer) as client:
        await client.predict(order())
    failed, answered = app.spans("POST /v1/ai-inference")
    assert failed.status.status_code is StatusCode.ERROR
    assert dict(failed.attributes or {}) == {
        "http.request.method": "POST",
        "http.response.status_code": 503,
        "error.type": "triton_unavailable",
    }
    assert not failed.events
    assert answered.status.status_code is StatusCode.UNSET
    assert dict(answered.attributes or {}) == {"http.request.method": "POST", "http.request.resend_count": 1}


async def test_a_call_that_fails_is_a_failed_span(app: App) -> None:
    service = Service([refusal(500, "server", "internal_error")])
    async with service.client(tracer=app.tracer) as client:
        with pytest.raises(CloudServerError):
            await client.predict(order())
    (call,) = app.spans("frond.predict")
    assert dict(call.attributes or {}) == {"error.type": "internal_error", "http.response.status_code": 500}


async def test_an_attempt_that_the_deadline_ends_was_cancelled(app: App) -> None:
    async def never() -> None:
        await asyncio.sleep(60)

    async with Service(before=never).client(tracer=app.tracer) as client:
        with pytest.raises(CloudTimeoutError):
            await client.predict(order(timeout_seconds=0.05))
    (attempt,), (call,) = app.spans("POST /v1/ai-inference"), app.spans("frond.predict")
    assert attempt.attributes is not None
    assert attempt.attributes["error.type"] == "cancelled"
    assert call.attributes is not None
    assert call.attributes["error.type"] == "deadline_exceeded"


async def test_a_call_lies_below_the_apps_own_span(app: App) -> None:
    service = Service()
    async with service.client(tracer=app.tracer) as client:
        with app.tracer.start_as_current_span("diagnose the plant") as span:
            await client.predict(order())
    assert app.spans("frond.predict")[0].parent == span.get_span_context()


async def test_of_an_app_that_gives_no_tracer_the_current_span_is_told(app: App) -> None:
    service = Service()
    async with service.client() as client:
        with app.tracer.start_as_current_span("diagnose the plant") as span:
            await client.predict(order())
    assert service.requests[0].headers["traceparent"] == header_of(span)
    assert app.spans("frond.predict") == []


async def test_a_trace_that_the_app_does_not_keep_is_told_as_such() -> None:
    provider, service = TracerProvider(ALWAYS_OFF, shutdown_on_exit=False), Service()
    async with service.client(tracer=provider.get_tracer("app")) as client:
        with provider.get_tracer("app").start_as_current_span("diagnose the plant") as span:
            await client.predict(order())
    trace_id = format(span.get_span_context().trace_id, "032x")
    assert re.fullmatch(rf"00-{trace_id}-[0-9a-f]{{16}}-00", service.requests[0].headers["traceparent"])


async def test_without_spans_all_attempts_have_one_trace_of_their_own() -> None:
    service = Service([OUTAGE, ok()])
    async with service.client() as client:
        await client.predict(order())
    first, second = (request.headers["traceparent"].split("-") for request in service.requests)
    assert first[1] == second[1]
    assert first[2] != second[2]


def test_without_opentelemetry_nothing_of_it_is_loaded() -> None:
    program = "import sys; from frond.tracing import Spans, Trace; Spans().call('x').__enter__(); Trace.new().headers()"
    check = f"{program}; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    subprocess.run([sys.executable, "-c", check], check=True)
