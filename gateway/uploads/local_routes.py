"""The signed URLs of the local storage; with another one these routes do not exist."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, BinaryIO

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from frond.types import MAX_IMAGE_BYTES, UploadResponse
from gateway import body
from gateway.deadline import Deadline
from gateway.errors import (
    BodyTooLargeError,
    DeadlineError,
    ForbiddenError,
    InvalidRequestError,
    ServerError,
    UnsupportedBodyError,
    UrlSignatureError,
)
from gateway.memory import Share
from gateway.openapi import IMAGE_BODY, failures
from gateway.uploads.local import BLOCK_BYTES, STORAGE_PATH
from gateway.uploads.protocols import ObjectPath

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.metrics import Metrics
    from gateway.uploads.local import LocalStorage
    from gateway.uploads.signing import Grant

# Who sends less holds a connection for nothing: the slowest mobile networks do 10 KB/s.
MIN_BYTES_PER_SECOND = 4096
PATIENCE_SECONDS = 30.0  # at the start, and in a gap between two cells
READ_BYTES = 64 * 1024

router = APIRouter(tags=["uploads"])


@router.put(
    STORAGE_PATH + "/{user_id}/{name}",
    summary="Upload a photo to its signed URL",
    status_code=204,
    responses=failures(UploadResponse, 400, 403, 413, 415, 422, 500, 503, 504),
    openapi_extra=IMAGE_BODY,
)
async def put(request: Request, user_id: str, name: str) -> Response:
    path = signed_path(user_id, name)
    metrics: Metrics = request.state.metrics
    try:
        grant = storage_of(request).authorise("PUT", path, request.url.query)
        if request.headers.get("content-type") != path.content_type:
            raise UnsupportedBodyError(f"The Content-Type must be {path.content_type}.")
        with Share(request.state.memory, path.user_id) as share:
            share.take(min(BLOCK_BYTES, grant.size_bytes))
            await storage_of(request).write(grant, pieces(request, grant))
    except (InvalidRequestError, ForbiddenError):
        metrics.uploads.labels("refused").inc()
        raise
    except (ServerError, DeadlineError):
        metrics.uploads.labels("failed").inc()
        raise
    metrics.uploads.labels("stored").inc()
    return Response(status_code=204)


@router.get(
    STORAGE_PATH + "/{user_id}/{name}",
    summary="Download a photo from its signed URL",
    response_class=Response,
    responses=failures(UploadResponse, 403, 404, 422, 500, 503),
)
async def get(request: Request, user_id: str, name: str) -> Response:
    path = signed_path(user_id, name)
    grant = storage_of(request).authorise("GET", path, request.url.query)
    file = await storage_of(request).open(grant)
    # Bytes that a user uploaded: a browser shall show them as a photo or not at all.
    headers = {
        "Content-Length": str(grant.size_bytes),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'",
    }
    return StreamingResponse(content_of(file), headers=headers, media_type=path.content_type)


async def pieces(request: Request, grant: Grant) -> AsyncIterator[bytes]:
    """The body as it arrives: no more than was announced, until the grant ends, and not endlessly slowly."""
    max_bytes = min(grant.size_bytes, MAX_IMAGE_BYTES)
    body.check_length(request.headers.get("content-length"), max_bytes)
    stream = request.stream()
    ends = Deadline.after(grant.expires_at - time.time())
    started = time.monotonic()
    received = 0
    while piece := await body.next_chunk(stream, in_time(ends, started, received)):
        received += len(piece)
        if received > max_bytes:
            raise BodyTooLargeError(f"The photo was announced with {max_bytes} bytes, and has more.")
        yield piece


def in_time(ends: Deadline, started: float, received: int) -> Deadline:
    """When the next piece must be there."""
    due = Deadline(started + PATIENCE_SECONDS + received / MIN_BYTES_PER_SECOND)
    return min(ends, due, key=lambda deadline: deadline.at)


async def content_of(file: BinaryIO) -> AsyncIterator[bytes]:
    try:
        while content := await asyncio.to_thread(file.read, READ_BYTES):
            yield content
    finally:
        file.close()


def signed_path(user_id: str, name: str) -> ObjectPath:
    """What was never signed gets the answer of a bad signature: it does not show what exists."""
    path = ObjectPath.parse(user_id, name)
    if path is None:
        raise UrlSignatureError("The URL is not signed.")
    return path


def storage_of(request: Request) -> LocalStorage:
    storage: LocalStorage = request.state.storage
    return storage
