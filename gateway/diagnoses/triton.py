"""Triton's model `diagnose` over gRPC."""

from __future__ import annotations

import struct
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
from tritonclient.grpc import service_pb2

from gateway.diagnoses.protocols import ModelAnswer
from gateway.errors import (
    DeadlineError,
    GatewayError,
    ModelAnswerError,
    ModelFailedError,
    ModelRequestError,
    ModelVersionUnknownError,
    OverloadedError,
    TritonUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from gateway.deadline import Deadline

MODEL = "diagnose"
METHOD = "/inference.GRPCInferenceService/ModelInfer"
CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", -1),  # eight photos of 20 MB; the routes have counted them
    # A Triton that was restarted is found again within half a second; by default gRPC waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.enable_http_proxy", 0),
)
# Triton's words for a model that is not loaded; `diagnose` itself says NOT_FOUND of a release.
UNKNOWN_MODEL = "Request for unknown model"
# The model counts its budget from when the request came, in whole milliseconds.
CLOCK_SLACK_SECONDS = 0.05
# Field 7 of ModelInferRequest, raw_input_contents, with its wire type: two, length-delimited.
RAW_INPUT_TAG = bytes([7 << 3 | 2])


class TritonDiagnoser:
    """The channel reconnects by itself; while there is no Triton, calls fail at once."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._infer = channel.unary_unary(METHOD, None, service_pb2.ModelInferResponse.FromString)

    async def diagnose(
        self, photos: Sequence[bytes], top_k: int, version: str | None, request_id: str, deadline: Deadline
    ) -> ModelAnswer:
        """Cancelled, it cancels the call in Triton too."""
        started = time.monotonic()
        seconds = deadline.remaining()
        try:
            response = await self._infer(encode(photos, top_k, version, request_id, seconds), timeout=seconds)
        except grpc.aio.AioRpcError as error:
            raise translate(error, version, deadline) from error
        return ModelAnswer(decode(response), time.monotonic() - started)


@asynccontextmanager
async def open_channel(address: str) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        yield channel


def encode(photos: Sequence[bytes], top_k: int, version: str | None, request_id: str, seconds: float) -> bytes:
    """A ModelInferRequest with one row of photos, shape [1, n].

    The photos are written behind the serialised rest, as field 7 of the same message: protobuf itself would copy each
    three times more.
    """
    request = service_pb2.ModelInferRequest(model_name=MODEL, id=request_id)
    request.inputs.add(name="IMAGES", datatype="BYTES", shape=[1, len(photos)])
    request.outputs.add(name="DIAGNOSIS")
    request.parameters["top_k"].int64_param = top_k
    request.parameters["budget_ms"].int64_param = int(seconds * 1000)
    request.parameters["timeout"].int64_param = int(seconds * 1_000_000)  # Triton's own: bounds the queue
    if version is not None:
        request.parameters["version"].string_param = version
    size = sum(4 + len(photo) for photo in photos)
    elements = (piece for photo in photos for piece in (struct.pack("<I", len(photo)), photo))
    return b"".join((request.SerializeToString(), RAW_INPUT_TAG, varint(size), *elements))


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first, the eighth set in all but the last."""
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


def decode(response: Any) -> bytes:
    """The one element of DIAGNOSIS: four bytes of length, then JSON."""
    if len(response.raw_output_contents) != 1 or len(response.raw_output_contents[0]) < 4:
        raise ModelAnswerError("The model gave no answer of the agreed form.")
    content: bytes = response.raw_output_contents[0]
    return content[4:]


def translate(error: grpc.aio.AioRpcError, version: str | None, deadline: Deadline) -> GatewayError:
    """What a status of Triton or of gRPC means to the caller."""
    match error.code():
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return late()
        case grpc.StatusCode.NOT_FOUND if version is not None and UNKNOWN_MODEL not in (error.details() or ""):
            return ModelVersionUnknownError(f"There is no model version {version}.")
        case grpc.StatusCode.INVALID_ARGUMENT:
            return ModelRequestError("The model refuses the request.")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return OverloadedError("The model has too much to do. Try again.")
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED | grpc.StatusCode.NOT_FOUND:
            return late() if is_over(deadline) else TritonUnavailableError("The model cannot be reached. Try again.")
    return ModelFailedError("The model failed. Try again.")


def late() -> DeadlineError:
    return DeadlineError("The deadline passed before the model answered.")


def is_over(deadline: Deadline) -> bool:
    """Triton says the same of a request whose time ran out there, and of one that was lost as it stopped."""
    return deadline.at - time.monotonic() <= CLOCK_SLACK_SECONDS
