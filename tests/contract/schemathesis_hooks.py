"""What schemathesis runs with: Frond's own check of every answer, and a photo that really is there."""

from __future__ import annotations

import json
import os
import random
import re
from typing import TYPE_CHECKING, Any

import schemathesis

from frond.types import DiagnosisResponse, TelemetryResponse, UploadResponse
from gateway import errors
from gateway.errors import GatewayError
from preprocess import errors as photos
from preprocess.errors import ImageError
from tests.gateways import png

if TYPE_CHECKING:
    from schemathesis import Case, CheckContext, HookContext, Response

CODES = {
    each.code
    for each in (*vars(errors).values(), *vars(photos).values())
    if isinstance(each, type) and issubclass(each, (GatewayError, ImageError)) and hasattr(each, "code")
}
ENVELOPES: dict[str, type[DiagnosisResponse | UploadResponse | TelemetryResponse]] = {
    "/v1/uploads": UploadResponse,
    "/v1/telemetry": TelemetryResponse,
}
READINESS = "/health/ready"
PHOTO = png()
REFERENCE = json.loads(os.environ["FROND_TEST_PHOTO"])  # to where the test has uploaded it
DEADLINE = "x-frond-deadline-ms"
GOOD_DEADLINE = re.compile("[0-9]{1,9}")
CHANCE = random.Random(0)


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Most requests get time, where a generator likes zero best; and half of those that are good but for their photo
    get one, which no generator can draw or sign.
    """
    if GOOD_DEADLINE.fullmatch(str(case.headers.get(DEADLINE))) and CHANCE.random() < 0.9:
        case.headers[DEADLINE] = "5000"
    is_good = case.meta is not None and case.meta.generation.mode.is_positive
    if is_good and isinstance(case.body, dict) and case.body.get("images") and CHANCE.random() < 0.5:
        photo: Any = PHOTO if case.media_type == "multipart/form-data" else REFERENCE
        case.body["images"] = [photo]


@schemathesis.check
def frond_envelope(ctx: CheckContext, response: Response, case: Case[Any]) -> bool | None:
    assert response.headers.get("x-request-id"), "no X-Request-Id"
    assert response.headers.get("x-content-type-options"), "no security headers"
    if response.status_code < 400 or (case.path == READINESS and response.status_code == 503):
        return None
    assert response.headers["content-type"] == ["application/json"], response.headers["content-type"]
    if case.method.upper() == "HEAD":
        return None
    model = ENVELOPES.get(case.path, DiagnosisResponse)
    answer = model.model_validate_json(response.content)
    assert not answer.success
    assert answer.error is not None
    assert answer.error.code in CODES, answer.error.code
    assert answer.error.message
    assert [answer.request_id] == response.headers["x-request-id"]
    return None
