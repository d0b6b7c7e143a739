"""`POST /v1/telemetry` over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from frond.types import TelemetryBatch, TelemetryReceipt, TelemetryResponse
from gateway import body
from gateway.auth.bearer import caller_of
from gateway.envelope import JSON
from gateway.memory import Share
from gateway.openapi import TELEMETRY_BODY, failures

if TYPE_CHECKING:
    from gateway.telemetry.service import TelemetryService

MAX_BATCH_BYTES = 64 * 1024

router = APIRouter(tags=["telemetry"])


@router.post(
    "/v1/telemetry",
    status_code=202,
    summary="Report what happened on the client",
    response_model=TelemetryResponse,
    responses=failures(TelemetryResponse, 400, 401, 403, 413, 415, 422, 429, 500, 503, 504),
    openapi_extra=TELEMETRY_BODY,
)
async def report(request: Request) -> Response:
    """Counted in the gateway's metrics and not stored; nothing in it says where a user is or what a photo shows."""
    caller = caller_of(request)
    with Share(request.state.memory, caller.user_id) as share:
        batch = await body.read_model(request, TelemetryBatch, MAX_BATCH_BYTES, share)
    service: TelemetryService = request.state.telemetry
    taken = service.take(caller, batch)
    response = TelemetryResponse(
        success=True, request_id=request.state.request_id, result=TelemetryReceipt(taken=taken)
    )
    return Response(response.model_dump_json(by_alias=True), 202, media_type=JSON)
