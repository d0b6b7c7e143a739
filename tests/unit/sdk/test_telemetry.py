"""What the client tells of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader

from frond.errors import CloudServerError, DeviceTimeoutError
from frond.opentelemetry import opentelemetry_sink
from frond.telemetry import Telemetry
from frond.types import ErrorCategory, FallbackReason, InferenceMode, TelemetryEvent, TelemetryKind

if TYPE_CHECKING:
    import pytest


def test_each_function_logs_its_event() -> None:
    events: list[TelemetryEvent] = []
    telemetry = Telemetry(events.append)
    telemetry.log_cloud_inference_success(0.5, InferenceMode.AUTO)
    telemetry.log_cloud_inference_failure(0.5, CloudServerError("out", code="overloaded"))
    telemetry.log_image_upload(0.5)
    telemetry.log_idempotency_hit(0.5)
    telemetry.log_device_inference_success(0.5)
    telemetry.log_device_inference_failure(0.5, DeviceTimeoutError())
    telemetry.log_fallback(FallbackReason.DEVICE_TIMEOUT, 0.5)
    assert {event.event for event in events} == set(TelemetryKind)
    assert {event.duration_ms for event in events} == {500.0}
    failure = events[1]
    assert (failure.category, failure.code, failure.mode) == (ErrorCategory.SERVER, "overloaded", InferenceMode.CLOUD)
    assert (events[5].category, events[5].code) == (None, "device_timeout")
    assert events[6].fallback_reason == FallbackReason.DEVICE_TIMEOUT


def test_percentiles_are_by_nearest_rank() -> None:
    telemetry = Telemetry()
    assert telemetry.percentiles(TelemetryKind.IMAGE_UPLOAD) is None
    for milliseconds in range(100, 0, -1):
        telemetry.log_image_upload(milliseconds / 1000)
    percentiles = telemetry.percentiles(TelemetryKind.IMAGE_UPLOAD)
    assert percentiles is not None
    assert (percentiles.count, percentiles.p50, percentiles.p95, percentiles.p99) == (100, 50, 95, 99)


def test_percentiles_forget_what_is_long_ago() -> None:
    telemetry = Telemetry()
    for seconds in [9.0] * 50 + [1.0] * 1000:
        telemetry.log_idempotency_hit(seconds)
    percentiles = telemetry.percentiles(TelemetryKind.IDEMPOTENCY_HIT)
    assert percentiles is not None
    assert (percentiles.count, percentiles.p99) == (1000, 1000.0)


def test_a_sink_that_fails_harms_neither_the_call_nor_the_other_sinks(caplog: pytest.LogCaptureFixture) -> None:
    events: list[TelemetryEvent] = []

    def broken(event: TelemetryEvent) -> None:
        raise OSError("disk full")

    Telemetry(broken, events.append).log_idempotency_hit(1)
    assert len(events) == 1
    assert "sink" in caplog.text


def test_a_sink_that_was_removed_hears_nothing_more() -> None:
    events: list[TelemetryEvent] = []
    telemetry = Telemetry()
    telemetry.add_sink(events.append)
    telemetry.log_idempotency_hit(1)
    telemetry.remove_sink(events.append)
    telemetry.log_idempotency_hit(1)
    assert len(events) == 1


def test_opentelemetry_gets_durations_by_event() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    Telemetry(opentelemetry_sink(provider.get_meter("app"))).log_fallback(FallbackReason.DEVICE_TIMEOUT, 1.5)
    data = reader.get_metrics_data()
    assert data is not None
    (point,) = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert isinstance(point, HistogramDataPoint)
    assert (point.count, point.sum) == (1, 1.5)
    assert point.attributes == {"event": "fallback", "mode": "auto", "fallback_reason": "device_timeout"}
    provider.shutdown()
