"""A telemetry sink for OpenTelemetry (extra `frond[opentelemetry]`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import metrics

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

    from frond.telemetry import Sink
    from frond.types import TelemetryEvent


def opentelemetry_sink(meter: Meter | None = None) -> Sink:
    """Records each event in the histogram `frond.client.duration`, in seconds; its count is the number of events.

    Attributes: `event`, and where they apply `category`, `code`, `mode` and `fallback_reason`. Without a `meter` it is
    the global provider's.
    """
    durations = (meter or metrics.get_meter("frond")).create_histogram(
        "frond.client.duration", unit="s", description="What the client did, by event."
    )

    def record(event: TelemetryEvent) -> None:
        details = event.model_dump(mode="json", exclude={"at", "duration_ms"}, exclude_none=True)
        durations.record((event.duration_ms or 0.0) / 1000, details)

    return record
