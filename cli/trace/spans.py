"""Spans as they come over OTLP, and the tree that those of one trace make."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.trace.v1 import trace_pb2

HEXADECIMAL_ID = re.compile(r'("(?:traceId|spanId|parentSpanId)"\s*:\s*")([0-9a-f]+)')


@dataclass(frozen=True, slots=True)
class Span:
    """Times are nanoseconds since the epoch, ids hexadecimal; `parent_id` is "" at the root."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    began_ns: int
    ended_ns: int
    events: Mapping[str, int] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    links: tuple[str, ...] = ()

    @property
    def milliseconds(self) -> float:
        return (self.ended_ns - self.began_ns) / 1e6


@dataclass(frozen=True, slots=True)
class Row:
    """A span, how deep it lies below the root, and when it began and ceased to wait in Triton's queue, if it did."""

    span: Span
    depth: int
    queued_ns: tuple[int, int] | None = None


def parse(content_type: str, body: bytes) -> ExportTraceServiceRequest:
    """What exporters send. OTLP's JSON, which Triton's is, has ids in hexadecimal, where protobuf's has base64."""
    request = ExportTraceServiceRequest()
    if content_type.partition(";")[0] != "application/json":
        request.ParseFromString(body)
        return request
    text = HEXADECIMAL_ID.sub(
        lambda found: found[1] + base64.b64encode(bytes.fromhex(found[2])).decode(), body.decode()
    )
    json_format.Parse(text, request)
    return request


def spans_of(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in request.resource_spans:
        service = attributes_of(resource.resource.attributes).get("service.name", "")
        for scope in resource.scope_spans:
            yield from (span_of(service, span) for span in scope.spans)


def span_of(service: str, span: trace_pb2.Span) -> Span:
    return Span(
        service,
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex().strip("0") and span.parent_span_id.hex(),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        {event.name: event.time_unix_nano for event in span.events},
        attributes_of(span.attributes),
        tuple(link.span_id.hex() for link in span.links),
    )


def attributes_of(pairs: Iterable[KeyValue]) -> dict[str, str]:
    return {pair.key: str(getattr(pair.value, pair.value.WhichOneof("value") or "string_value")) for pair in pairs}


def rows_of(spans: Iterable[Span]) -> list[Row]:
    """Parents before their children, siblings by their beginning. A span whose parent is not among them is a root."""
    found = sorted(spans, key=lambda span: (span.began_ns, -span.ended_ns))
    ids = {span.span_id for span in found}
    children: dict[str, list[Span]] = {}
    for span in found:
        children.setdefault(span.parent_id if span.parent_id in ids else "", []).append(span)
    rows: list[Row] = []
    waiting = [(span, 0) for span in reversed(children.get("", []))]
    while waiting:
        span, depth = waiting.pop()
        below = children.get(span.span_id, [])
        rows.append(Row(span, depth, queued(span, below)))
        waiting += [(child, depth + 1) for child in reversed(below)]
    return rows


def queued(span: Span, below: Iterable[Span]) -> tuple[int, int] | None:
    """Triton notes when a model's queue got the request; that it left it is the beginning of `compute`."""
    compute = next((child for child in below if child.name == "compute"), None)
    if compute is None or "QUEUE_START" not in span.events:
        return None
    return span.events["QUEUE_START"], compute.began_ns
