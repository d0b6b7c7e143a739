"""The device first, the cloud where that is not enough and there is time for it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from frond.attempts import Trail, ended_by, under_key
from frond.clock import now
from frond.coordination import Run
from frond.errors import CloudValidationError
from frond.options import PhotoSource, PredictOptions
from frond.policy.deadline import HARD_DEADLINE_SECONDS, Deadline
from frond.policy.photos import check_photos
from frond.policy.request import details_of
from frond.reading import read_contents
from frond.telemetry import Telemetry
from frond.types import ClientInfo, InferenceMode, PlantContext

if TYPE_CHECKING:
    from frond.coordination import CloudPredictor
    from frond.decision import InferenceResult
    from frond.device_attempt import DevicePredictor


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinatorOptions:
    """When the device's answer is enough, and when the cloud is asked.

    `device_timeout_seconds`: for the device, within the call's own. `min_confidence`: the device's first prediction
    must have this much; an answer that abstains for low confidence is never enough, one that sees no leaf always is.
    `cloud_enabled`: whether mode `auto` may send photos away. `min_cloud_seconds`: more than this must be left.
    `hedge_after_seconds`: ask the cloud too when the device has not answered by then; the first good answer counts, the
    other is cancelled. None: never.
    """

    device_timeout_seconds: float = 3.0
    min_confidence: float = 0.0
    cloud_enabled: bool = True
    min_cloud_seconds: float = 1.0
    hedge_after_seconds: float | None = None


class AsyncInferenceCoordinator:
    """For programs that run an event loop; `frond.InferenceCoordinator` is for others."""

    def __init__(
        self,
        client: CloudPredictor | None = None,
        device: DevicePredictor | None = None,
        options: CoordinatorOptions | None = None,
    ) -> None:
        self._client = client
        self._device = device
        self._options = options or CoordinatorOptions()
        self.telemetry = client.telemetry if client else Telemetry()

    async def run_inference(
        self,
        photos: Sequence[PhotoSource],
        *,
        assessment_id: str | None = None,
        plant_context: PlantContext | Mapping[str, str] | None = None,
        mode: InferenceMode | str = InferenceMode.AUTO,
        model_version: str | None = None,
        top_k: int = 5,
        client: ClientInfo | None = None,
        idempotency_key: uuid.UUID | None = None,
        timeout_seconds: float = HARD_DEADLINE_SECONDS,
    ) -> InferenceResult:
        """Diagnose 1 to 8 photos of one plant; `model_version` is a hint for the cloud.

        Raises `DeviceInferenceError` where only the device was asked, and `CloudInferenceError` where the cloud was; a
        request that is wrong, `assessment_id` or `plant_context` missing for one, is a `CloudValidationError` before
        anything runs.
        """
        chosen = _mode(mode)
        options = PredictOptions(
            photos=photos,
            assessment_id=assessment_id,
            plant_context=plant_context,
            client=client,
            model_version=model_version,
            top_k=top_k,
            idempotency_key=idempotency_key,
            mode=chosen,
        ).with_key()
        with under_key(options.idempotency_key):
            return await self._run(options, photos, Deadline.after(timeout_seconds, now))

    async def _run(self, options: PredictOptions, photos: Sequence[PhotoSource], deadline: Deadline) -> InferenceResult:
        details_of(options)
        check_photos(photos)
        if options.mode is InferenceMode.CLOUD and self._client is None:
            raise CloudValidationError("There is no client for mode cloud.", code="client_unconfigured")
        async with ended_by(deadline, Trail()):
            contents = await read_contents(photos)
        run = Run(self._client, self._device, self._options, self.telemetry, deadline)
        return await run.make(replace(options, photos=contents))


def _mode(mode: InferenceMode | str) -> InferenceMode:
    try:
        return InferenceMode(mode)
    except ValueError:
        message = f"mode is {mode!r}; it must be one of {', '.join(InferenceMode)}."
        raise CloudValidationError(message, code="request_invalid") from None
