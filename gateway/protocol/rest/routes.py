"""`/v2/…`: health, metadata, the list of models and inference. What is not here, Triton's other calls, is not found."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from gateway import body
from gateway.allowance import headers_of
from gateway.auth.bearer import caller_of
from gateway.cancellation import while_connected
from gateway.deadline import Deadline
from gateway.envelope import JSON
from gateway.errors import MalformedRequestError
from gateway.memory import Share
from gateway.protocol import compression
from gateway.protocol.messages import MAX_MESSAGE_BYTES
from gateway.protocol.messages import Response as InferResponse
from gateway.protocol.rest import codec

if TYPE_CHECKING:
    from gateway.protocol.service import ProtocolService

MAX_INDEX_BYTES = 1024
BINARY = "application/octet-stream"

# Not in the OpenAPI document: the protocol has a description of its own.
router = APIRouter(prefix="/v2", include_in_schema=False)


@router.get("/health/live")
async def live() -> Response:
    return Response(status_code=200)


@router.get("/health/ready")
async def ready(request: Request) -> Response:
    return Response(status_code=200 if await service_of(request).is_ready() else 503)


@router.get("")
async def server(request: Request) -> Response:
    caller_of(request)
    metadata = service_of(request).server_metadata()
    return json_of({"name": metadata.name, "version": metadata.version, "extensions": list(metadata.extensions)})


@router.get("/models/{model}")
@router.get("/models/{model}/versions/{version}")
async def metadata(request: Request, model: str) -> Response:
    version, deadline = asked_of(request)
    await service_of(request).spend(caller_of(request))
    return json_of(codec.metadata(await service_of(request).model_metadata(model, version, deadline)))


@router.get("/models/{model}/ready")
@router.get("/models/{model}/versions/{version}/ready")
async def model_ready(request: Request, model: str) -> Response:
    version, deadline = asked_of(request)
    await service_of(request).spend(caller_of(request))
    return Response(status_code=200 if await service_of(request).model_ready(model, version, deadline) else 503)


@router.post("/repository/index")
async def index(request: Request) -> Response:
    _, deadline = asked_of(request)
    caller = caller_of(request)
    await service_of(request).spend(caller)
    with Share(request.state.memory, caller.user_id) as share:
        only_ready = read_index(await body.read(request, MAX_INDEX_BYTES, deadline, share))
    return json_of([asdict(state) for state in await service_of(request).index(deadline, ready=only_ready)])


@router.post("/models/{model}/infer")
@router.post("/models/{model}/versions/{version}/infer")
async def infer(request: Request, model: str) -> Response:
    """Under the deadline of `X-Frond-Deadline-Ms`; who hangs up cancels it in Triton too."""
    version, deadline = asked_of(request)
    caller = caller_of(request)
    allowance = await service_of(request).spend(caller)
    with Share(request.state.memory, caller.user_id) as share:
        with request.state.metrics.stage("body"):
            content = await read_body(request, deadline, share)
        asked, wanted = codec.read(content, request.headers, model, version)
        answer = await while_connected(request, service_of(request).infer(asked, deadline))
        share.take(len(answer))
    content, head_length = codec.write(InferResponse.parse(answer), wanted)
    headers = headers_of(allowance) | ({} if head_length is None else {codec.HEAD_LENGTH: str(head_length)})
    coding = compression.wanted(request.headers.get("accept-encoding", ""), len(content))
    if coding is not None:
        content = await compression.pack(content, coding)
        headers["content-encoding"] = coding
    return Response(content, 200, headers, JSON if head_length is None else BINARY)


def asked_of(request: Request) -> tuple[str, Deadline]:
    """The version of the path, empty where it names none, and the caller's deadline."""
    deadline = Deadline.from_header(request.headers.get("x-frond-deadline-ms"))
    return request.path_params.get("version", ""), deadline


async def read_body(request: Request, deadline: Deadline, share: Share) -> bytes:
    """Unpacked; what comes and what it unpacks to have the same limit."""
    codings = ",".join(request.headers.getlist("content-encoding"))
    if not compression.is_packed(codings or compression.IDENTITY):
        return await body.read(request, MAX_MESSAGE_BYTES, deadline, share)
    return await compression.unpack(
        body.chunks(request, MAX_MESSAGE_BYTES, deadline, share), MAX_MESSAGE_BYTES, share.take
    )


def read_index(content: bytes) -> bool:
    """Whether only models that are ready are asked for; no body means all."""
    if not content:
        return False
    try:
        asked = json.loads(content)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict) or not isinstance(asked.get("ready", False), bool):
        raise MalformedRequestError('The body must be empty or JSON: {"ready": true}.')
    return bool(asked.get("ready", False))


def json_of(answer: Any) -> Response:
    return Response(json.dumps(answer), media_type=JSON)


def service_of(request: Request) -> ProtocolService:
    service: ProtocolService = request.state.protocol
    return service
