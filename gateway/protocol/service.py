"""The data plane: which models there are for a user, what they look like, and an inference with his own tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tritonclient.grpc import service_pb2

from gateway.errors import DeadlineError, InvalidRequestError, NotFoundError, RateLimitedError, TritonUnavailableError
from gateway.protocol.calls import MODEL_METADATA, MODEL_READY, Infer, Question
from gateway.protocol.protocols import ModelState
from gateway.protocol.screening import screen
from gateway.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.allowance import Allowance
    from gateway.auth.protocols import Caller
    from gateway.deadline import Deadline
    from gateway.inference.calls import Call
    from gateway.metrics import Metrics
    from gateway.protocol.messages import Request
    from gateway.protocol.protocols import Limits, Ready, Tritons

CALL_SECONDS = 5.0  # towards Triton, as for a diagnosis; a caller may have less
MAX_VERSION_DIGITS = 9
NAME = "frond"
EXTENSIONS = ("binary_tensor_data", "classification", "parameters")


class ProtocolService:
    """Knows neither HTTP nor gRPC. Messages are protobuf's; tensors pass as bytes."""

    def __init__(self, tritons: Tritons, limits: Limits, ready: Ready, models: Sequence[str], metrics: Metrics) -> None:
        self._tritons = tritons
        self._limits = limits
        self._ready = ready
        self._models = models
        self._metrics = metrics

    async def is_ready(self) -> bool:
        """Of the server: the same as `/health/ready`."""
        return (await self._ready.readiness()).is_ready

    def server_metadata(self) -> Any:
        """Of the gateway: which Triton stands behind it is nobody's business."""
        return service_pb2.ServerMetadataResponse(name=NAME, version=VERSION, extensions=EXTENSIONS)

    async def spend(self, caller: Caller) -> Allowance | None:
        """Before each request that reaches Triton, and before its body is read. Raises what `Limits.spend` does."""
        try:
            with self._metrics.stage("claim"):
                return await self._limits.spend(caller)
        except RateLimitedError:
            self._metrics.rate_limited.inc()
            raise

    async def model_ready(self, model: str, version: str, deadline: Deadline) -> bool:
        """False for one that is visible and not served now. Raises `NotFoundError` for any other."""
        self._find(model, version)
        message = service_pb2.ModelReadyRequest(name=model, version=version).SerializeToString()
        try:
            answer = await self._ask(Question(MODEL_READY, message), deadline)
        except NotFoundError:
            return False
        return bool(service_pb2.ModelReadyResponse.FromString(answer).ready)

    async def model_metadata(self, model: str, version: str, deadline: Deadline) -> bytes:
        """A ModelMetadataResponse. Raises `NotFoundError`."""
        self._find(model, version)
        message = service_pb2.ModelMetadataRequest(name=model, version=version).SerializeToString()
        return await self._ask(Question(MODEL_METADATA, message), deadline)

    async def index(self, deadline: Deadline, *, ready: bool) -> list[ModelState]:
        """Asked model by model: Triton's own index lists all, and is behind the key of those who may load models."""
        found = [state for model in self._models for state in await self._states(model, deadline)]
        return [state for state in found if not ready or state.state == "READY"]

    async def infer(self, request: Request, deadline: Deadline) -> bytes:
        """A ModelInferResponse. Raises an `InvalidRequestError`, a `ServerError` or `DeadlineError`."""
        self._find(request.head.model_name, request.head.model_version)
        deadline = screen(request, deadline)
        with self._metrics.stage("infer"):
            return await self._ask(Infer(request), deadline)

    async def _ask(self, call: Call, deadline: Deadline) -> bytes:
        try:
            return await self._tritons.ask(call, deadline.within(CALL_SECONDS))
        except DeadlineError as error:
            if deadline.is_over():
                raise
            raise TritonUnavailableError("The model did not answer in time. Try again.") from error

    async def _states(self, model: str, deadline: Deadline) -> list[ModelState]:
        try:
            answer = await self.model_metadata(model, "", deadline)
        except NotFoundError:
            return [ModelState(model, "", "UNAVAILABLE", "not loaded")]
        versions = service_pb2.ModelMetadataResponse.FromString(answer).versions
        return [ModelState(model, version, "READY", "") for version in versions]

    def _find(self, model: str, version: str) -> None:
        """A model that is not to be seen is one that is not there, in Triton's words."""
        if model not in self._models:
            raise NotFoundError(f"Request for unknown model: {model[:200]!r} is not found")
        if version and not (version.isascii() and version.isdigit() and len(version) <= MAX_VERSION_DIGITS):
            raise InvalidRequestError(f"The version of a model is a number of at most {MAX_VERSION_DIGITS} digits.")
