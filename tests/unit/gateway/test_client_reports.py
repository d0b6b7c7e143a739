"""What clients report becomes numbers whose labels are ours, and nobody reports without end."""

from __future__ import annotations

import itertools
import re
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frond.types import ErrorCategory, FallbackReason, TelemetryBatch, TelemetryKind
from gateway.auth.protocols import Caller
from gateway.errors import RateLimitedError
from gateway.metrics import Metrics
from gateway.rates import UserRate
from gateway.telemetry.codes import CLIENT_CODES, KNOWN_CODES
from gateway.telemetry.service import TelemetryService
from stack.paths import ROOT

ALICE, BOB = (Caller(uuid.uuid4(), "{}") for _ in range(2))
CODE_IN_SOURCE = re.compile(r'code(?:=| = )"([a-z_]+)"')


def batch(*events: dict[str, Any]) -> TelemetryBatch:
    return TelemetryBatch.model_validate({"events": [{"at": "2026-11-23T09:30:00Z"} | event for event in events]})


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    found: float | None = metrics.registry.get_sample_value(name, labels)
    return found


def test_events_are_counted_by_kind_and_category_and_their_time_is_observed() -> None:
    metrics = Metrics()
    failure = {"event": "cloud_inference_failure", "category": "timeout", "code": "deadline_exceeded"}
    success = {"event": "cloud_inference_success", "durationMs": 250}
    assert TelemetryService(metrics, UserRate(10, 10)).take(ALICE, batch(success, success, failure)) == 3
    assert value(metrics, "frond_client_events_total", event="cloud_inference_success", category="none") == 2
    assert value(metrics, "frond_client_events_total", event="cloud_inference_failure", category="timeout") == 1
    assert value(metrics, "frond_client_seconds_sum", event="cloud_inference_success") == 0.5
    assert value(metrics, "frond_client_failures_total", event="cloud_inference_failure", code="deadline_exceeded") == 1


def test_the_fallback_rate_and_device_failures_can_be_computed() -> None:
    metrics = Metrics()
    device = {"event": "device_inference_success"}
    failed = {"event": "device_inference_failure", "code": "device_timeout"}
    fallback = {"event": "fallback", "fallbackReason": "device_timeout"}
    TelemetryService(metrics, UserRate(10, 10)).take(ALICE, batch(device, device, device, failed, fallback))
    assert value(metrics, "frond_client_events_total", event="fallback", category="none") == 1
    assert value(metrics, "frond_client_events_total", event="device_inference_failure", category="none") == 1
    assert value(metrics, "frond_client_fallbacks_total", reason="device_timeout") == 1


@given(st.lists(st.from_regex(r"\A[a-z0-9_]{1,64}\Z"), min_size=1, max_size=20))
def test_whatever_codes_clients_make_up_the_labels_stay_ours(codes: list[str]) -> None:
    metrics = Metrics()
    events = ({"event": kind, "code": code} for kind, code in zip(itertools.cycle(TelemetryKind), codes, strict=False))
    TelemetryService(metrics, UserRate(1000, 1000)).take(ALICE, batch(*events))
    (family,) = metrics.client_failures.collect()
    assert {sample.labels["code"] for sample in family.samples} <= KNOWN_CODES | {"other"}


def test_every_code_of_the_sdk_is_known() -> None:
    sources = [path for path in (ROOT / "client" / "src" / "frond").rglob("*.py") if "_preprocess" not in path.parts]
    made = {code for path in sources for code in CODE_IN_SOURCE.findall(path.read_text())}
    assert made - KNOWN_CODES == set()
    assert CLIENT_CODES - made <= {"device_failed"}  # the default of an error that may name a photo's code


def test_label_values_are_few() -> None:
    events = len(TelemetryKind) * (len(ErrorCategory) + 1)
    failures = len(TelemetryKind) * (len(KNOWN_CODES) + 1)
    assert events + failures + len(FallbackReason) < 1000


def test_a_user_who_reports_too_often_is_refused_and_others_are_not() -> None:
    now = 0.0
    rate = UserRate(burst=3, per_minute=60, clock=lambda: now)
    for _ in range(3):
        rate.charge(ALICE.user_id)
    with pytest.raises(RateLimitedError) as refused:
        rate.charge(ALICE.user_id)
    assert refused.value.retry_after_ms == 1000
    rate.charge(BOB.user_id)
    now = 1.0
    rate.charge(ALICE.user_id)


def test_what_is_refused_is_not_counted_as_events() -> None:
    metrics = Metrics()
    service = TelemetryService(metrics, UserRate(burst=1, per_minute=1))
    service.take(ALICE, batch({"event": "fallback"}))
    with pytest.raises(RateLimitedError):
        service.take(ALICE, batch({"event": "fallback"}))
    assert value(metrics, "frond_client_events_total", event="fallback", category="none") == 1
    assert value(metrics, "frond_gateway_rate_limited_total") == 1


def test_users_are_forgotten_when_their_burst_is_full_again() -> None:
    now = 0.0
    rate = UserRate(burst=3, per_minute=60, clock=lambda: now)
    for _ in range(100):
        rate.charge(uuid.uuid4())
    assert len(rate) == 100
    now = 2.0
    rate.charge(ALICE.user_id)
    assert len(rate) == 1
