"""`POST /v1/ai-inference` over HTTP."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response

from frond.types import DiagnosisResponse
from gateway.auth.bearer import AuthenticatedCaller  # noqa: TC001  (FastAPI evaluates it)
from gateway.deadline import Deadline
from gateway.diagnoses import request as request_body
from gateway.diagnoses.allowance import headers_of
from gateway.diagnoses.protocols import Order
from gateway.envelope import JSON, failure_response
from gateway.errors import ClientGoneError, IdempotencyKeyInvalidError, IdempotencyKeyMissingError, RateLimitedError
from gateway.memory import RequestShare  # noqa: TC001
from gateway.openapi import DIAGNOSIS_BODY, failures

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from gateway.diagnoses.service import DiagnosisService
    from gateway.metrics import Metrics

UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

T = TypeVar("T")

router = APIRouter(tags=["diagnoses"])


@router.post(
    "/v1/ai-inference",
    summary="Diagnose the photos of one assessment",
    response_model=DiagnosisResponse,
    responses=failures(DiagnosisResponse, 400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 503, 504),
    openapi_extra=DIAGNOSIS_BODY,
)
@router.post("/functions/v1/ai-inference", include_in_schema=False)
async def diagnose(
    request: Request,
    caller: AuthenticatedCaller,
    share: RequestShare,
    idempotency_key: Annotated[str | None, Header(description="a UUID; the same one for each try of a request")] = None,
    x_frond_deadline_ms: Annotated[str | None, Header(description="milliseconds that the caller has left")] = None,
) -> Response:
    """The photos come as parts of a multipart request, or as signed URLs of `POST /v1/uploads` in a JSON request."""
    received_at = time.monotonic()
    deadline = Deadline.from_header(x_frond_deadline_ms)
    key = parse_key(idempotency_key, len(request.headers.getlist("idempotency-key")))
    metrics: Metrics = request.state.metrics
    with metrics.stage("body"):
        details, photos = await request_body.read(request, deadline, share)
    order = Order(caller, key, request.state.request_id, received_at, deadline, details, photos, share)
    service: DiagnosisService = request.state.diagnoses
    try:
        answer = await while_connected(request, service.answer(order))
    except RateLimitedError as error:
        request.state.error = error
        response = failure_response(order.request_id, error)
        response.headers.update(headers_of(error.allowance))
        return response
    headers = headers_of(answer.allowance) | ({"Idempotency-Replayed": "true"} if answer.replayed else {})
    return Response(answer.body, answer.status, headers, JSON)


def parse_key(text: str | None, count: int) -> UUID:
    if text is None:
        raise IdempotencyKeyMissingError("The Idempotency-Key header is missing.")
    if count > 1 or not UUID_TEXT.fullmatch(text):
        raise IdempotencyKeyInvalidError("There must be one Idempotency-Key, and it must be a UUID.")
    return UUID(text)


async def until_hang_up(request: Request) -> None:
    """The body is read: what comes next is the end."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def while_connected(request: Request, work: Coroutine[None, None, T]) -> T:
    """The work's result; a client that hangs up cancels it."""
    task = asyncio.ensure_future(work)
    hang_up = asyncio.ensure_future(until_hang_up(request))
    try:
        await asyncio.wait({task, hang_up}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGoneError("The client hung up.")
        return task.result()
    finally:
        task.cancel()
        hang_up.cancel()
        await asyncio.gather(task, hang_up, return_exceptions=True)
