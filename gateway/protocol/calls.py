"""The calls of Triton that a user may cause: an inference with tensors of his own, and questions about a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import grpc

from gateway.errors import GatewayError, ModelRequestError, NotFoundError
from gateway.inference.calls import INFER
from gateway.inference.codec import MODEL
from gateway.inference.outcomes import UNKNOWN_MODEL, Outcome, judge

if TYPE_CHECKING:
    from gateway.deadline import Deadline
    from gateway.protocol.messages import Request

MODEL_READY = "/inference.GRPCInferenceService/ModelReady"
MODEL_METADATA = "/inference.GRPCInferenceService/ModelMetadata"
MAX_WORDS = 500


class StrangersCall:
    """What is in it, Triton has to judge: its words on the request are for the caller, all others are ours."""

    __slots__ = ()
    is_vetted: ClassVar[bool] = False

    def decode(self, answer: bytes) -> bytes:
        return answer

    def judge(self, error: grpc.aio.AioRpcError, deadline: Deadline, seconds: float) -> tuple[Outcome, GatewayError]:
        words = (error.details() or "")[:MAX_WORDS]
        match error.code():
            case grpc.StatusCode.INVALID_ARGUMENT:
                return Outcome.REJECTED, ModelRequestError(words)
            case grpc.StatusCode.NOT_FOUND:
                return Outcome.REJECTED, NotFoundError(words)
            case grpc.StatusCode.UNAVAILABLE if UNKNOWN_MODEL in words:  # known, and not loaded
                return Outcome.UNSERVED, NotFoundError(words)
            case grpc.StatusCode.UNIMPLEMENTED:
                return Outcome.REJECTED, ModelRequestError("The model cannot do this.")
        return judge(error, None, deadline, seconds)


@dataclass(frozen=True, slots=True)
class Infer(StrangersCall):
    """Triton gets what is left of the budget with it, as `diagnose` does from us."""

    request: Request
    method: ClassVar[str] = INFER

    def encode(self, seconds: float) -> bytes:
        parameters = self.request.head.parameters
        parameters["timeout"].int64_param = int(seconds * 1_000_000)
        if self.request.head.model_name == MODEL:
            parameters["budget_ms"].int64_param = int(seconds * 1000)
        return self.request.encode()


@dataclass(frozen=True, slots=True)
class Question(StrangersCall):
    method: str
    message: bytes

    def encode(self, seconds: float) -> bytes:  # noqa: ARG002  (gRPC's deadline is enough)
        return self.message
