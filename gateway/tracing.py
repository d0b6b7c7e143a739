"""Traces: which requests are recorded, where their spans go, and what context Triton gets."""

from __future__ import annotations

import asyncio
import random
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NoOpTracer, SpanKind, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway.version import VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from opentelemetry.trace import Span, SpanContext, Tracer

    from gateway.settings import Settings

QUEUED_SPANS = 4096  # some 4 MB; a collector that is out loses what is more
EXPORT_SECONDS = 2.0  # a request to the collector, with its tries
SEND_EVERY_SECONDS = 1.0
END_SECONDS = 3.0  # what the last spans may take when the process goes
MAX_STATE_BYTES = 512  # of `tracestate`: what the standard asks for. Triton refuses a call with 8 KB of headers

propagator = TraceContextTextMapPropagator()


class Tracing:
    """Decides by chance: who could choose, by the flag or the id of its `traceparent`, could fill the collector."""

    def __init__(self, tracer: Tracer | None = None, sample_ratio: float = 0) -> None:
        self.tracer = tracer or NoOpTracer()
        self._sample_ratio = sample_ratio

    def begin(self, name: str, caller: Context) -> Span | None:
        """A request's span below the caller's; None for most requests, which then cost nothing more."""
        if random.random() >= self._sample_ratio:
            return None
        return self.tracer.start_span(name, caller, SpanKind.SERVER)


def caller_context(traceparent: bytes | None, tracestate: bytes | None) -> tuple[Context, SpanContext | None]:
    """What the caller's headers say (W3C Trace Context); nothing if they are malformed."""
    if traceparent is None:
        return Context(), None
    carrier = {"traceparent": traceparent.decode("latin-1")}
    if tracestate is not None and len(tracestate) <= MAX_STATE_BYTES:
        carrier["tracestate"] = tracestate.decode("latin-1")
    context = propagator.extract(carrier, Context())
    span = get_current_span(context).get_span_context()
    return context, span if span.is_valid else None


def outgoing_headers() -> tuple[tuple[str, str], ...]:
    """gRPC metadata for a call made now on behalf of the current request: its span, if it is recorded.

    Triton traces each call that comes with a context, whatever its own rate.
    """
    span = get_current_span()
    if not span.is_recording():
        return ()
    headers: dict[str, str] = {}
    propagator.inject(headers)
    return tuple(headers.items())


def exemplar_of(span: Span | None) -> dict[str, str] | None:
    """What an observation of a recorded request leads to; of one that is not recorded there is nothing to be found."""
    if span is None:
        return None
    context = span.get_span_context()
    return {"trace_id": format(context.trace_id, "032x"), "span_id": format(context.span_id, "016x")}


@asynccontextmanager
async def open_tracing(settings: Settings) -> AsyncIterator[Tracing]:
    """Without an endpoint nothing is recorded."""
    if settings.otlp_endpoint is None:
        yield Tracing()
        return
    provider = TracerProvider(
        ALWAYS_ON,  # of the spans that are begun: `Tracing` chooses
        Resource({"service.name": "frond-gateway", "service.version": VERSION}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(
        BatchSpanProcessor(
            OTLPSpanExporter(traces_url(str(settings.otlp_endpoint)), timeout=EXPORT_SECONDS),
            max_queue_size=QUEUED_SPANS,
            schedule_delay_millis=SEND_EVERY_SECONDS * 1000,
        )
    )
    try:
        yield Tracing(provider.get_tracer("frond.gateway", VERSION), settings.trace_sample_ratio)
    finally:
        await end(provider)


async def end(provider: TracerProvider) -> None:
    """The SDK would wait half a minute for a collector that hangs; its own thread ends with the process."""
    ending = threading.Thread(target=provider.shutdown, daemon=True)
    ending.start()
    await asyncio.to_thread(ending.join, END_SECONDS)


def traces_url(endpoint: str) -> str:
    """The collector's base URL completed as OTLP says; one with a path is taken as it is."""
    scheme, _, rest = endpoint.partition("://")
    _, _, path = rest.partition("/")
    return endpoint if path else f"{scheme}://{rest.rstrip('/')}/v1/traces"
