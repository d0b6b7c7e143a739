"""The coordinator for programs without an event loop."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self

from frond.coordinator import AsyncInferenceCoordinator
from frond.portal import Portal
from frond.shared import get_cloud_inference_client
from frond.types import InferenceMode

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from types import TracebackType

    from frond.client import CloudInferenceClient
    from frond.coordinator import CoordinatorOptions
    from frond.decision import InferenceResult
    from frond.device_attempt import DevicePredictor
    from frond.options import PhotoSource
    from frond.telemetry import Telemetry
    from frond.types import PlantContext

P = ParamSpec("P")


def _waiting(
    method: Callable[Concatenate[AsyncInferenceCoordinator, P], Coroutine[None, None, InferenceResult]],
) -> Callable[Concatenate[InferenceCoordinator, P], InferenceResult]:
    """The same method, with its signature and its docstring, for callers who wait."""

    @wraps(method)
    def call(self: InferenceCoordinator, /, *arguments: P.args, **options: P.kwargs) -> InferenceResult:
        return self.portal.run(method(self.asynchronous, *arguments, **options))

    return call


class InferenceCoordinator:
    """`AsyncInferenceCoordinator` with calls that wait. Without a `client` it has a thread of its own: close it."""

    def __init__(
        self,
        client: CloudInferenceClient | None = None,
        device: DevicePredictor | None = None,
        options: CoordinatorOptions | None = None,
    ) -> None:
        self.portal = Portal() if client is None else client.portal
        self._owned = self.portal if client is None else None
        self.asynchronous = AsyncInferenceCoordinator(client.asynchronous if client else None, device, options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the thread of its own; the client is its owner's to close."""
        if self._owned is not None:
            self._owned.close()

    @property
    def telemetry(self) -> Telemetry:
        return self.asynchronous.telemetry

    run_inference = _waiting(AsyncInferenceCoordinator.run_inference)


def run_inference(
    photos: Sequence[PhotoSource],
    *,
    assessment_id: str | None = None,
    plant_context: PlantContext | Mapping[str, str] | None = None,
    mode: InferenceMode | str = InferenceMode.AUTO,
    device: DevicePredictor | None = None,
    options: CoordinatorOptions | None = None,
    **further: Any,
) -> InferenceResult:
    """`InferenceCoordinator.run_inference` with the program's client, which mode `device` does without."""
    client = None if mode == InferenceMode.DEVICE else get_cloud_inference_client()
    with InferenceCoordinator(client, device, options) as coordinator:
        return coordinator.run_inference(
            photos, assessment_id=assessment_id, plant_context=plant_context, mode=mode, **further
        )
