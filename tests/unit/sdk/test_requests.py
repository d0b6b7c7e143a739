"""Requests as bytes and headers."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from frond.errors import CloudValidationError
from frond.options import PredictOptions
from frond.policy.deadline import Deadline
from frond.policy.photos import Photo, PhotoPolicy, prepare
from frond.policy.request import CallIdentity, details_of, multipart_body, reference_body
from frond.types import ClientInfo, DiagnosisRequest, ImageReference, PlantContext
from tests.gateways import png, sha256
from tests.unit.sdk.clocks import FakeClock

KEY = uuid.UUID("11111111-1111-4111-8111-111111111111")


def options(**changes: Any) -> PredictOptions:
    wanted: dict[str, Any] = {"photos": [png()], "assessment_id": "a-1", "plant_context": PlantContext(id="p-1")}
    return PredictOptions(**wanted | changes)


def test_the_key_is_a_random_uuid_unless_the_caller_has_one() -> None:
    assert CallIdentity.new().idempotency_key.version == 4
    assert CallIdentity.new(KEY).idempotency_key == KEY


def test_all_attempts_have_the_key_and_the_trace_and_each_has_its_own_id_and_budget() -> None:
    clock = FakeClock()
    identity, deadline = CallIdentity.new(KEY), Deadline.after(5, clock)
    first = identity.headers("token", 1, deadline)
    clock.advance(1.25)
    second = identity.headers("token", 2, deadline)
    assert first["Idempotency-Key"] == second["Idempotency-Key"] == str(KEY)
    assert (first["X-Frond-Deadline-Ms"], second["X-Frond-Deadline-Ms"]) == ("5000", "3750")
    assert first["X-Request-Id"] != second["X-Request-Id"]
    traces = [re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01", each["traceparent"]) for each in (first, second)]
    assert traces[0] is not None
    assert traces[1] is not None
    assert traces[0][1] == traces[1][1]
    assert traces[0][2] != traces[1][2]
    assert first["Authorization"] == "Bearer token"


def test_a_call_within_a_span_of_the_app_belongs_to_its_trace() -> None:
    provider = TracerProvider()
    with provider.get_tracer("app").start_as_current_span("diagnose") as span:
        headers = CallIdentity.new().headers("token", 1, Deadline.after(1))
    context = span.get_span_context()
    assert headers["traceparent"] == f"00-{context.trace_id:032x}-{context.span_id:016x}-01"
    provider.shutdown()


@pytest.mark.parametrize("token", ["", "with space", "a\r\nX-Admin: 1", "ключ"])
def test_a_token_that_would_be_another_header_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(CloudValidationError) as caught:
        CallIdentity.new().headers(token, 1, Deadline.after(1))
    assert caught.value.code == "token_unfit"
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"assessment_id": ""}, "assessment_id"),
        ({"assessment_id": None}, "assessment_id"),
        ({"plant_context": None}, "plant_context"),
        ({"plant_context": {"species": "x"}}, "plant_context.id"),
        ({"top_k": 0}, "top_k"),
        ({"model_version": "a\nb"}, "model_version"),
    ],
)
def test_a_field_that_is_missing_or_wrong_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(CloudValidationError, match=re.escape(field)) as caught:
        details_of(options(**changes))
    assert caught.value.code == "request_invalid"


def test_the_json_form_is_the_contracts() -> None:
    photo = png()
    image = ImageReference(url="https://s/x", sha256=sha256(photo), content_type="image/png", bytes=len(photo))
    body = reference_body(details_of(options(client=ClientInfo(fallback_reason="device_timeout"))), [image])
    request = DiagnosisRequest.model_validate_json(body.content)
    assert request.images == [image]
    assert request.client is not None
    assert request.client.fallback_reason == "device_timeout"
    assert "assessmentId" in json.loads(body.content)


def test_the_multipart_form_declares_each_photo() -> None:
    photos = [photo for shade in (1, 2) if isinstance(photo := prepare(png(shade), PhotoPolicy()), Photo)]
    body = multipart_body(details_of(options()), photos)
    boundary = body.content_type.partition("boundary=")[2].encode()
    parts = body.content.split(b"--" + boundary)
    assert parts[0] == b""
    assert parts[-1] == b"--\r\n"
    request = json.loads(parts[1].partition(b"\r\n\r\n")[2])
    assert [image["sha256"] for image in request["images"]] == [photo.sha256 for photo in photos]
    assert parts[2].endswith(photos[0].content + b"\r\n")
    assert b'name="images"' in parts[3]
