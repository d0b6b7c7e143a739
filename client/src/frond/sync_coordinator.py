"""The coordinator for programs without an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from frond.coordinator import AsyncInferenceCoordinator
from frond.policy.deadline import HARD_DEADLINE_SECONDS
from frond.portal import Portal
from frond.shared import get_cloud_inference_client
from frond.types import InferenceMode

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from frond.client import CloudInferenceClient
    from frond.coordinator import CoordinatorOptions
    from frond.decision import InferenceResult
    from frond.device_attempt import DevicePredictor
    from frond.options import PhotoSource
    from frond.telemetry import Telemetry
    from frond.types import ClientInfo, PlantContext


class InferenceCoordinator:
    """`AsyncInferenceCoordinator` with calls that wait. Without a `client` it has a thread of its own: close it."""

    def __init__(
        self,
        client: CloudInferenceClient | None = None,
        device: DevicePredictor | None = None,
        options: CoordinatorOptions | None = None,
    ) -> None:
        self._portal = Portal() if client is None else client.portal
        self._owned = self._portal if client is None else None
        self._coordinator = AsyncInferenceCoordinator(client.asynchronous if client else None, device, options)

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
        return self._coordinator.telemetry

    def run_inference(
        self,
        photos: Sequence[PhotoSource],
        *,
        assessment_id: str,
        plant_context: PlantContext | Mapping[str, str],
        mode: InferenceMode | str = InferenceMode.AUTO,
        model_version: str | None = None,
        top_k: int = 5,
        client: ClientInfo | None = None,
        idempotency_key: uuid.UUID | None = None,
        timeout_seconds: float = HARD_DEADLINE_SECONDS,
    ) -> InferenceResult:
        """As `AsyncInferenceCoordinator.run_inference`."""
        work = self._coordinator.run_inference(
            photos,
            assessment_id=assessment_id,
            plant_context=plant_context,
            mode=mode,
            model_version=model_version,
            top_k=top_k,
            client=client,
            idempotency_key=idempotency_key,
            timeout_seconds=timeout_seconds,
        )
        return self._portal.run(work)


def run_inference(
    photos: Sequence[PhotoSource],
    *,
    assessment_id: str,
    plant_context: PlantContext | Mapping[str, str],
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
