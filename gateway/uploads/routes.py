"""`POST /v1/uploads`, and the local storage behind its URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from frond.types import MAX_IMAGE_BYTES, UploadRequest, UploadResponse
from gateway import body
from gateway.auth.bearer import AuthenticatedCaller  # noqa: TC001  (FastAPI evaluates it)
from gateway.deadline import Deadline
from gateway.envelope import JSON
from gateway.errors import UnsupportedBodyError, UrlSignatureError
from gateway.memory import RequestShare  # noqa: TC001
from gateway.openapi import IMAGE_BODY, UPLOAD_BODY, failures
from gateway.uploads.protocols import ObjectPath
from gateway.uploads.service import STORAGE_PATH

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
async def ask(request: Request, caller: AuthenticatedCaller, share: RequestShare) -> Response:
    """PUT the photo to `uploadUrl` with `uploadHeaders`, then name `downloadUrl` in the diagnosis request."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise UnsupportedBodyError("The body must be application/json.")
    content = await body.read(request, MAX_TICKET_BYTES, Deadline.from_header(None), share)
    ticket = service_of(request).ticket(caller, body.validate(UploadRequest, content))
    response = UploadResponse(success=True, request_id=request.state.request_id, result=ticket)
    return Response(response.model_dump_json(by_alias=True), media_type=JSON)


@router.put(
    STORAGE_PATH + "/{user_id}/{name}",
    summary="Upload a photo to its signed URL",
    status_code=204,
    responses=failures(UploadResponse, 400, 403, 413, 415, 422, 500, 503, 504),
    openapi_extra=IMAGE_BODY,
)
async def put(request: Request, user_id: str, name: str, share: RequestShare) -> Response:
    path = signed_path(user_id, name)
    grant = service_of(request).authorise_put(path, request.url.query)
    if request.headers.get("content-type") != path.content_type:
        raise UnsupportedBodyError(f"The Content-Type must be {path.content_type}.")
    content = await body.read(request, min(grant.size_bytes, MAX_IMAGE_BYTES), Deadline.from_header(None), share)
    await service_of(request).put(grant, content)
    return Response(status_code=204)


@router.get(
    STORAGE_PATH + "/{user_id}/{name}",
    summary="Download a photo from its signed URL",
    response_class=Response,
    responses=failures(UploadResponse, 403, 404, 422, 500, 503),
)
async def get(request: Request, user_id: str, name: str) -> Response:
    path = signed_path(user_id, name)
    content = await service_of(request).get(path, request.url.query)
    # Bytes that a user uploaded: a browser shall show them as a photo or not at all.
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"}
    return Response(content, headers=headers, media_type=path.content_type)


def signed_path(user_id: str, name: str) -> ObjectPath:
    """What was never signed gets the answer of a bad signature: it does not show what exists."""
    path = ObjectPath.parse(user_id, name)
    if path is None:
        raise UrlSignatureError("The URL is not signed.")
    return path


def service_of(request: Request) -> UploadService:
    service: UploadService = request.state.uploads
    return service
