"""`POST /v1/uploads` over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from frond.types import UploadRequest, UploadResponse
from gateway import body
from gateway.auth.bearer import caller_of
from gateway.envelope import JSON
from gateway.memory import Share
from gateway.openapi import UPLOAD_BODY, failures

if TYPE_CHECKING:
    from gateway.uploads.service import UploadService

MAX_TICKET_BYTES = 4096

router = APIRouter(tags=["uploads"])


@router.post(
    "/v1/uploads",
    summary="Ask for the URLs of a photo",
    response_model=UploadResponse,
    responses=failures(UploadResponse, 400, 401, 403, 413, 415, 422, 500, 503, 504),
    openapi_extra=UPLOAD_BODY,
)
async def ask(request: Request) -> Response:
    """PUT the photo to `uploadUrl` with `uploadHeaders`, then name `downloadUrl` in the diagnosis request."""
    caller = caller_of(request)
    with Share(request.state.memory, caller.user_id) as share:
        upload = await body.read_model(request, UploadRequest, MAX_TICKET_BYTES, share)
        service: UploadService = request.state.uploads
        ticket = await service.ticket(caller, upload)
    response = UploadResponse(success=True, request_id=request.state.request_id, result=ticket)
    return Response(response.model_dump_json(by_alias=True), media_type=JSON)
