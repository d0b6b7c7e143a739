"""What the gateway counts and times, for Prometheus and OpenTelemetry: one object, handed to who needs it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal, Self, get_args

from opentelemetry.trace import NoOpTracer, get_current_span
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)

from gateway.outage import Outage
from gateway.tracing import exemplar_of
from gateway.version import VERSION

if TYPE_CHECKING:
    from types import TracebackType

    from opentelemetry.trace import Tracer

Part = Literal["database", "keys", "storage"]
Stage = Literal["auth", "body", "claim", "join", "fetch", "validate", "infer", "complete"]
DEADLINES = ("met", "missed", "hurried")
UPLOADS = ("issued", "stored", "refused", "failed")
DECISIONS = ("new", "replayed", "joined", "taken_over", "mismatch", "in_flight", "not_started")
# From a replay's millisecond to the 8 s that a phone waits.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8)


class Metrics:
    """Names follow Prometheus' rules: base units, `_total` for counters. No label's values are a caller's to choose."""

    def __init__(self, tracer: Tracer | None = None) -> None:
        self._tracer = tracer or NoOpTracer()
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "frond_gateway_requests",
            "Answered requests; the category is that of the contract's errors, or none.",
            ["route", "status", "category", "code"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            "frond_gateway_request_seconds",
            "From the head of a request to the end of its answer.",
            ["route"],
            registry=registry,
            buckets=SECONDS,
        )
        self.stage_seconds = Histogram(
            "frond_gateway_stage_seconds", "Stages of a diagnosis.", ["stage"], registry=registry, buckets=SECONDS
        )
        self.deadlines = Counter(
            "frond_gateway_deadlines",
            "Diagnoses: met, missed, or hurried by the caller.",
            ["outcome"],
            registry=registry,
        )
        self.in_flight = Gauge("frond_gateway_in_flight_requests", "Requests being answered.", registry=registry)
        self.held_bytes = Gauge("frond_gateway_held_bytes", "Request bodies and photos in memory.", registry=registry)
        self.idempotency = Counter("frond_gateway_idempotency", "What a claim found.", ["decision"], registry=registry)
        self.rate_limited = Counter("frond_gateway_rate_limited", "Requests over a user's rate.", registry=registry)
        self.unauthenticated_refused = Counter(
            "frond_gateway_unauthenticated_refused",
            "Requests over the rate of those without a valid token.",
            registry=registry,
        )
        self.connections = Gauge("frond_gateway_connections", "Connections of clients.", registry=registry)
        self.not_admitted = Counter(
            "frond_gateway_not_admitted", "Requests refused before work began.", ["reason"], registry=registry
        )
        self.triton_calls = Counter(
            "frond_gateway_triton_calls", "Calls of Triton.", ["address", "outcome"], registry=registry
        )
        self.breaker_state = Gauge(
            "frond_gateway_breaker_state",
            "Of each Triton address: 0 closed, 1 half open, 2 open.",
            ["address"],
            registry=registry,
        )
        self.breaker_opened = Counter(
            "frond_gateway_breaker_opened", "Openings of a breaker.", ["address", "reason"], registry=registry
        )
        self.part_out = Gauge(
            "frond_gateway_part_out", "1 while the part does not answer.", ["part"], registry=registry
        )
        self.degraded = Counter("frond_gateway_degraded_answers", "Answers of the degraded release.", registry=registry)
        self.canary_requests = Counter(
            "frond_gateway_canary_requests",
            "Requests while a canary runs.",
            ["side", "outcome"],
            registry=registry,
        )
        self.canary_seconds = Histogram(
            "frond_gateway_canary_seconds",
            "What Triton took for them.",
            ["side"],
            registry=registry,
            buckets=SECONDS,
        )
        self.canary_share = Gauge(
            "frond_gateway_canary_share", "Share of the photos that the canary gets.", ["version"], registry=registry
        )
        self.canary_rolled_back = Gauge(
            "frond_gateway_canary_rolled_back", "1: it did worse.", ["version"], registry=registry
        )
        self.uploads = Counter(
            "frond_gateway_uploads", "Uploads by what became of them.", ["outcome"], registry=registry
        )
        self.idempotency_rows = Gauge(
            "frond_gateway_idempotency_rows", "Rows of idempotency_keys, estimated.", registry=registry
        )
        self.cleaned = Counter(
            "frond_gateway_cleaned", "Expired things that were removed.", ["what"], registry=registry
        )
        self.cleanup_finished = Gauge(
            "frond_gateway_cleanup_finished_timestamp_seconds",
            "End of the last round of cleanup here, or the start; 0: none here.",
            registry=registry,
        )
        self.client_events = Counter(
            "frond_client_events",
            "What clients report of themselves.",
            ["event", "category"],
            registry=registry,
        )
        self.client_seconds = Histogram(
            "frond_client_seconds", "What clients report it took.", ["event"], registry=registry, buckets=SECONDS
        )
        self.client_failures = Counter(
            "frond_client_failures",
            "Reported codes; an unknown one is other.",
            ["event", "code"],
            registry=registry,
        )
        self.client_fallbacks = Counter(
            "frond_client_fallbacks", "Why the device's answer was not enough.", ["reason"], registry=registry
        )
        Info("frond_gateway_build", "Which gateway this is.", registry=registry).info({"version": VERSION})
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        # From zero on: the first of a rare thing is a rise as well.
        for counter, outcomes in ((self.deadlines, DEADLINES), (self.uploads, UPLOADS), (self.idempotency, DECISIONS)):
            for outcome in outcomes:
                counter.labels(outcome)
        self._stages = {name: self.stage_seconds.labels(name) for name in get_args(Stage)}

    def outage(self, part: Part, name: str) -> Outage:
        """`name` is the log's."""
        return Outage(name, self.part_out.labels(part))

    def stage(self, name: Stage) -> StageTimer:
        """A context: an observation of `frond_gateway_stage_seconds`, and a span if the request's is recorded."""
        return StageTimer(self._stages[name], self._tracer, name)


class StageTimer:
    """No generator: every request passes several."""

    __slots__ = ("_exemplar", "_histogram", "_name", "_span", "_started", "_tracer")

    def __init__(self, histogram: Histogram, tracer: Tracer, name: Stage) -> None:
        self._histogram = histogram
        self._tracer = tracer
        self._name = name

    def __enter__(self) -> Self:
        # What went wrong stands in the request's span, as a code: an exception's text may repeat what the caller sent.
        self._span = (
            self._tracer.start_as_current_span(self._name, record_exception=False, set_status_on_exception=False)
            if get_current_span().is_recording()
            else None
        )
        self._exemplar = exemplar_of(self._span.__enter__()) if self._span is not None else None
        self._started = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._histogram.observe(time.perf_counter() - self._started, self._exemplar)
        if self._span is not None:
            self._span.__exit__(kind, error, traceback)
