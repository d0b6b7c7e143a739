"""`frond trace`: photos through the running stack until the gateway records one, and that one's trace as a picture."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from cli.connection import LOCAL_USER, local_token, read_photo
from cli.failure import Failure
from cli.sample import draw_sample
from cli.trace.collector import collecting
from cli.trace.waterfall import render_svg, render_text
from frond.client import CloudInferenceClient
from frond.configuration import ClientOptions
from frond.errors import CloudInferenceError
from frond.options import Delivery, PredictOptions
from frond.reports import Reporting
from stack.paths import StatePaths
from stack.state import State, read_state
from stack.traces import url_below

if TYPE_CHECKING:
    from cli.trace.collector import Collector
    from cli.trace.spans import Span

TRIES = (1, 10, 60)  # requests a round; at the default share, a tenth, the last is hardly ever needed
ARRIVAL_SECONDS = 4.0  # parts send once a second
QUIET_SECONDS = 2.5
HOW = "FROND_OTLP_ENDPOINT=http://127.0.0.1:4318 FROND_TRACE_SAMPLE_RATIO=1 frond up"


def trace(
    photo: Annotated[Path | None, typer.Argument(help="a photo; else a drawn sample")] = None,
    *,
    upload: Annotated[bool, typer.Option("--upload", help="upload the photo first, and name its URL")] = False,
    svg: Annotated[Path | None, typer.Option(help="write the picture to this file")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the spans")] = False,
) -> None:
    """Follow one request through SDK, gateway and Triton. The stack must send its traces to this machine."""
    state = read_state(StatePaths.default())
    if state is None or state.otlp_endpoint is None:
        raise Failure(f"Nothing here sends traces. Start it so: {HOW}")
    content = read_photo(photo) if photo else draw_sample()
    with collecting(state.otlp_endpoint) as collector:
        spans = recorded(state, order_of(content, has_uploads=upload), collector)
    if svg is not None:
        svg.write_text(render_svg(spans))
    print(json.dumps([dataclasses.asdict(span) for span in spans], indent=2) if as_json else render_text(spans))


def order_of(photo: bytes, *, has_uploads: bool) -> PredictOptions:
    delivery: Delivery = "signed_urls" if has_uploads else "multipart"
    return PredictOptions(photos=[photo], assessment_id="trace", plant_context={"id": "trace"}, delivery=delivery)


def recorded(state: State, order: PredictOptions, collector: Collector) -> list[Span]:
    """All spans of one trace that the gateway drew. Raises `Failure` when it draws none."""
    for count in TRIES:
        ask(state, order, count)
        if collector.until(lambda spans: recorded_trace(spans) is not None, ARRIVAL_SECONDS):
            return settled(collector, recorded_trace(collector.spans))
    raise Failure("The gateway recorded no request. FROND_TRACE_SAMPLE_RATIO=1 makes it record each.")


def recorded_trace(spans: list[Span]) -> str | None:
    """A trace that has been through the gateway to Triton."""
    gateway = {span.trace_id for span in spans if span.service == "frond-gateway"}
    return next((span.trace_id for span in spans if span.service == "frond-triton" and span.trace_id in gateway), None)


def settled(collector: Collector, trace_id: str | None) -> list[Span]:
    """The trace, once nothing of it has come for a while."""
    before: list[Span] = []
    while (spans := [span for span in collector.spans if span.trace_id == trace_id]) != before:
        before = spans
        time.sleep(QUIET_SECONDS)
    return spans


def ask(state: State, order: PredictOptions, count: int) -> None:
    """So many requests of an app with spans of its own; raises `Failure` when one is not answered."""
    assert state.otlp_endpoint is not None
    provider = app_provider(state.otlp_endpoint)
    options = ClientOptions(tracer=provider.get_tracer("frond"), reporting=Reporting(sample_ratio=0))
    try:
        with CloudInferenceClient(state.gateway_url, local_token(LOCAL_USER), options=options) as client:
            for _ in range(count):
                client.predict(order)
    except CloudInferenceError as error:
        raise Failure(f"The request was not answered: {error}") from error
    finally:
        provider.shutdown()


def app_provider(endpoint: str) -> TracerProvider:
    """As an app has it that sends its own spans."""
    provider = TracerProvider(resource=Resource({"service.name": "app"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(url_below(endpoint))))
    return provider
