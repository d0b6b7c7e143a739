"""Events of clients → counters. A client can claim what it likes: no label has a value that it chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import RateLimitedError
from gateway.telemetry.codes import KNOWN_CODES

if TYPE_CHECKING:
    from frond.types import TelemetryBatch, TelemetryEvent
    from gateway.auth.protocols import Caller
    from gateway.metrics import Metrics
    from gateway.rates import UserRate

BURST = 10  # an app that was offline sends what it has kept
PER_MINUTE = 12  # a client sends every half minute at most

OTHER = "other"
NONE = "none"


class TelemetryService:
    def __init__(self, metrics: Metrics, rate: UserRate) -> None:
        self._metrics = metrics
        self._rate = rate

    def take(self, caller: Caller, batch: TelemetryBatch) -> int:
        """How many events were counted. Raises `RateLimitedError`, and then counts none."""
        try:
            self._rate.charge(caller.user_id)
        except RateLimitedError:
            self._metrics.rate_limited.inc()
            raise
        for event in batch.events:
            self._count(event)
        return len(batch.events)

    def _count(self, event: TelemetryEvent) -> None:
        self._metrics.client_events.labels(event.event, event.category or NONE).inc()
        if event.duration_ms is not None:
            self._metrics.client_seconds.labels(event.event).observe(event.duration_ms / 1000)
        if event.code is not None:
            code = event.code if event.code in KNOWN_CODES else OTHER
            self._metrics.client_failures.labels(event.event, code).inc()
        if event.fallback_reason is not None:
            self._metrics.client_fallbacks.labels(event.fallback_reason).inc()
