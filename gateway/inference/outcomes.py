"""How a call of `diagnose` can end: what it says of the address, and what the caller is told."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import grpc

from gateway.errors import (
    DeadlineError,
    GatewayError,
    ModelFailedError,
    ModelRequestError,
    ModelVersionUnavailableError,
    ModelVersionUnknownError,
    OverloadedError,
    TritonUnavailableError,
)

if TYPE_CHECKING:
    from gateway.deadline import Deadline

# Who gives less than this may have to thank himself for a deadline that passes: half of the 5 s that the gateway gives,
# and thirty times what a photo of 12 megapixels takes.
SLOW_SECONDS = 2.5
# Triton's words for a model that is not loaded; `diagnose` itself says NOT_FOUND of a release.
UNKNOWN_MODEL = "Request for unknown model"
# Those of `diagnose` for a release that it knows and cannot ask (model_repository/diagnose/1).
UNSERVED_RELEASE = ("The classifier is not available.", "The release cannot be served.")

# NOT_FOUND is what a server says of `diagnose` itself while it starts or stops.
GONE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.NOT_FOUND)


class Outcome(StrEnum):
    """Of one call."""

    ANSWERED = "answered"
    REJECTED = "rejected"  # the request is at fault: as good a sign of life as an answer
    REFUSED = "refused"  # no connection, a broken one, or a server that is going
    FAILED = "failed"  # an error of the model: a stub that died, a bug
    SLOW = "slow"  # the deadline passed although there was time enough
    LATE = "late"  # the deadline passed, and there was little time
    UNSERVED = "unserved"  # the release is not loaded; others may be
    OVERLOADED = "overloaded"
    CANCELLED = "cancelled"  # by us, as nobody waits any more


def judge(
    error: grpc.aio.AioRpcError, version: str | None, deadline: Deadline, seconds: float
) -> tuple[Outcome, GatewayError]:
    """A status of Triton or of gRPC; the call had that many seconds."""
    words = error.details() or ""
    result: tuple[Outcome, GatewayError]
    match error.code():
        case grpc.StatusCode.UNAVAILABLE if any(text in words for text in UNSERVED_RELEASE):
            name = "The promoted version" if version is None else f"Model version {version}"
            result = Outcome.UNSERVED, ModelVersionUnavailableError(f"{name} is not loaded. Try again.")
        # Triton says the same of a request whose time ran out there, and of one that was lost as it stopped.
        case code if code is grpc.StatusCode.DEADLINE_EXCEEDED or (code in GONE and deadline.is_over()):
            outcome = Outcome.SLOW if seconds >= SLOW_SECONDS else Outcome.LATE
            result = outcome, DeadlineError("The deadline passed before the model answered.")
        case grpc.StatusCode.NOT_FOUND if version is not None and UNKNOWN_MODEL not in words:
            result = Outcome.REJECTED, ModelVersionUnknownError(f"There is no model version {version}.")
        case grpc.StatusCode.INVALID_ARGUMENT:
            result = Outcome.REJECTED, ModelRequestError("The model refuses the request.")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            result = Outcome.OVERLOADED, OverloadedError("The model has too much to do. Try again.")
        case code if code in GONE:
            result = Outcome.REFUSED, TritonUnavailableError("The model cannot be reached. Try again.")
        case _:
            result = Outcome.FAILED, ModelFailedError("The model failed. Try again.")
    return result
