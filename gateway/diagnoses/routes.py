"""`POST /v1/ai-inference` over HTTP."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from frond.types import DiagnosisResponse
from gateway.allowance import headers_of
from gateway.auth.bearer import caller_of
from gateway.cancellation import while_connected
from gateway.deadline import Deadline
from gateway.diagnoses import request as request_body
from gateway.diagnoses.protocols import Order
from gateway.envelope import JSON
from gateway.errors import IdempotencyKeyInvalidError, IdempotencyKeyMissingError
from gateway.memory import Share
from gateway.objective import Promise
from gateway.openapi import DIAGNOSIS_BODY, failures
from gateway.uuids import parse_uuid

if TYPE_CHECKING:
    from uuid import UUID

    from gateway.diagnoses.service import DiagnosisService
    from gateway.metrics import Metrics

router = APIRouter(tags=["diagnoses"])


@router.post(
    "/v1/ai-inference",
    summary="Diagnose the photos of one assessment",
    response_model=DiagnosisResponse,
    responses=failures(DiagnosisResponse, 400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 503, 504),
    openapi_extra=DIAGNOSIS_BODY,
)
@router.post("/functions/v1/ai-inference", include_in_schema=False)
async def diagnose(request: Request) -> Response:
    """The photos come as parts of a multipart request, or as signed URLs of `POST /v1/uploads` in a JSON request."""
    received_at = time.monotonic()
    metrics: Metrics = request.state.metrics
    with Promise(metrics.deadlines) as promise:
        caller = caller_of(request)
        deadline = Deadline.from_header(request.headers.get("x-frond-deadline-ms"))
        key = parse_key(request.headers.getlist("idempotency-key"))
        with Share(request.state.memory, caller.user_id) as share:
            with metrics.stage("body"):
                details, photos = await request_body.read(request, deadline, share)
            promise.begin(deadline)
            order = Order(caller, key, request.state.request_id, received_at, deadline, details, photos, share)
            return await respond(request, order)


async def respond(request: Request, order: Order) -> Response:
    service: DiagnosisService = request.state.diagnoses
    answer = await while_connected(request, service.answer(order))
    if answer.rejection is not None:
        request.state.code = answer.rejection["code"]
    headers = headers_of(answer.allowance) | ({"Idempotency-Replayed": "true"} if answer.replayed else {})
    return Response(answer.body, answer.status, headers, JSON)


def parse_key(values: list[str]) -> UUID:
    if not values:
        raise IdempotencyKeyMissingError("The Idempotency-Key header is missing.")
    key = parse_uuid(values[0])
    if len(values) > 1 or key is None:
        raise IdempotencyKeyInvalidError("There must be one Idempotency-Key, and it must be a UUID.")
    return key
