"""What happened on the client, for the app's own sinks and the service's metrics: counts and times, nothing else."""

from __future__ import annotations

import logging
import math
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from frond import forking
from frond.errors import CloudInferenceError, FrondError
from frond.types import FallbackReason, InferenceMode, TelemetryEvent, TelemetryKind

if TYPE_CHECKING:
    from collections.abc import Callable

Sink: TypeAlias = "Callable[[TelemetryEvent], None]"
"""Called at once and on the thread of the call: it must be quick. What it raises is logged and goes no further."""

WINDOW = 1000  # durations a kind that percentiles are taken of: p99 rests on ten of them
MAX_DURATION_MS = 600_000

log = logging.getLogger("frond")


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds, of the last `count` durations of a kind (nearest rank)."""

    count: int
    p50: float
    p95: float
    p99: float


class Telemetry:
    """Safe to use from several threads."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = list(sinks)
        self._durations = {kind: deque[float](maxlen=WINDOW) for kind in TelemetryKind}
        self._lock = forking.Lock()

    def add_sink(self, sink: Sink) -> None:
        with self._lock:
            self._sinks = [*self._sinks, sink]

    def remove_sink(self, sink: Sink) -> None:
        with self._lock:
            self._sinks = [other for other in self._sinks if other != sink]

    def percentiles(self, kind: TelemetryKind) -> Percentiles | None:
        """None as long as nothing of this kind has happened."""
        with self._lock:
            durations = sorted(self._durations[kind])
        if not durations:
            return None
        p50, p95, p99 = (durations[math.ceil(share * len(durations)) - 1] for share in (0.5, 0.95, 0.99))
        return Percentiles(len(durations), p50, p95, p99)

    def log_cloud_inference_success(self, seconds: float, mode: InferenceMode = InferenceMode.CLOUD) -> None:
        self._log(TelemetryKind.CLOUD_INFERENCE_SUCCESS, seconds, mode=mode)

    def log_cloud_inference_failure(
        self, seconds: float, error: FrondError, mode: InferenceMode = InferenceMode.CLOUD
    ) -> None:
        self._log(TelemetryKind.CLOUD_INFERENCE_FAILURE, seconds, error=error, mode=mode)

    def log_image_upload(self, seconds: float, error: FrondError | None = None) -> None:
        """Of one photo, its ticket included."""
        self._log(TelemetryKind.IMAGE_UPLOAD, seconds, error=error)

    def log_idempotency_hit(self, seconds: float) -> None:
        """The stored answer of an earlier request came back.

        Where it did so at the first attempt, it is no success besides: nobody waited for a diagnosis, and the times of
        those who did would look better than they are.
        """
        self._log(TelemetryKind.IDEMPOTENCY_HIT, seconds)

    def log_device_inference_success(self, seconds: float, mode: InferenceMode = InferenceMode.DEVICE) -> None:
        self._log(TelemetryKind.DEVICE_INFERENCE_SUCCESS, seconds, mode=mode)

    def log_device_inference_failure(
        self, seconds: float, error: FrondError, mode: InferenceMode = InferenceMode.DEVICE
    ) -> None:
        self._log(TelemetryKind.DEVICE_INFERENCE_FAILURE, seconds, error=error, mode=mode)

    def log_fallback(self, reason: FallbackReason, seconds: float) -> None:
        """The cloud is asked because the device was not enough; `seconds` went by until then."""
        self._log(TelemetryKind.FALLBACK, seconds, mode=InferenceMode.AUTO, reason=reason)

    def _log(
        self,
        kind: TelemetryKind,
        seconds: float,
        *,
        error: FrondError | None = None,
        mode: InferenceMode | None = None,
        reason: FallbackReason | None = None,
    ) -> None:
        duration_ms = min(max(0.0, seconds * 1000), MAX_DURATION_MS)
        with self._lock:
            self._durations[kind].append(duration_ms)
        event = TelemetryEvent(
            event=kind,
            at=datetime.now(UTC),
            duration_ms=round(duration_ms, 1),
            category=error.category if isinstance(error, CloudInferenceError) else None,
            code=error.code if error else None,
            mode=mode,
            fallback_reason=reason,
        )
        for sink in self._sinks:
            try:
                sink(event)
            except Exception:
                log.exception("A telemetry sink failed.")
