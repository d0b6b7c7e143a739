"""One run of the coordinator: device, cloud, or both at once, and what is decided from their outcomes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from frond.clock import now
from frond.decision import Decision, DecisionReason, InferenceResult
from frond.device_attempt import DeviceOutcome, try_device
from frond.errors import CloudInferenceError
from frond.types import ClientInfo, FallbackReason, InferenceMode

if TYPE_CHECKING:
    from frond.coordinator import CoordinatorOptions
    from frond.device_attempt import DevicePredictor
    from frond.options import CloudPrediction, PredictOptions
    from frond.policy.deadline import Deadline
    from frond.telemetry import Telemetry


class CloudPredictor(Protocol):
    """What the coordinator needs of `AsyncCloudInferenceClient`."""

    @property
    def telemetry(self) -> Telemetry: ...

    async def predict(self, options: PredictOptions) -> CloudPrediction: ...


class Run:
    """Used once."""

    def __init__(
        self,
        client: CloudPredictor | None,
        device: DevicePredictor | None,
        options: CoordinatorOptions,
        telemetry: Telemetry,
        deadline: Deadline,
    ) -> None:
        self._client = client
        self._device = device
        self._options = options
        self._telemetry = telemetry
        self._deadline = deadline
        self._started = now()
        self._cloud_seconds: float | None = None

    async def make(self, order: PredictOptions) -> InferenceResult:
        if order.mode is InferenceMode.CLOUD:
            prediction = await self._ask_cloud(order)
            return self._cloud_result(order.mode, prediction, DecisionReason.CLOUD_WANTED)
        if order.mode is InferenceMode.AUTO and self._options.hedge_after_seconds is not None:
            return await self._hedged(order, self._options.hedge_after_seconds)
        outcome = await self._ask_device(order)
        if order.mode is InferenceMode.DEVICE or outcome.fallback_reason is None:
            return self._device_result(order.mode, outcome, DecisionReason.DEVICE_ANSWERED)
        return await self._fall_back(order, outcome, outcome.fallback_reason)

    async def _fall_back(
        self, order: PredictOptions, outcome: DeviceOutcome, reason: FallbackReason
    ) -> InferenceResult:
        obstacle = self._obstacle()
        if obstacle is not None:
            return self._device_result(order.mode, outcome, obstacle)
        try:
            prediction = await self._ask_cloud(order, reason)
        except CloudInferenceError as error:
            return self._without_cloud(order.mode, outcome, error)
        return self._cloud_result(order.mode, prediction, DecisionReason.FELL_BACK, reason, outcome)

    async def _hedged(self, order: PredictOptions, after_seconds: float) -> InferenceResult:
        """The device alone for a while, then both."""
        device = asyncio.ensure_future(self._ask_device(order))
        cloud: asyncio.Future[CloudPrediction] | None = None
        try:
            await asyncio.wait({device}, timeout=after_seconds)
            if not device.done() and self._obstacle() is None:
                cloud = asyncio.ensure_future(self._ask_cloud(order, FallbackReason.DEVICE_SLOW))
                await asyncio.wait({device, cloud}, return_when=asyncio.FIRST_COMPLETED)
            return await self._first_good(order, device, cloud)
        finally:
            works = [work for work in (device, cloud) if work is not None]
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)

    async def _first_good(
        self,
        order: PredictOptions,
        device: asyncio.Future[DeviceOutcome],
        cloud: asyncio.Future[CloudPrediction] | None,
    ) -> InferenceResult:
        if cloud is not None and cloud.done() and cloud.exception() is None and not device.done():
            slow = FallbackReason.DEVICE_SLOW
            return self._cloud_result(order.mode, cloud.result(), DecisionReason.HEDGE_WON, slow)
        outcome = await device
        reason = outcome.fallback_reason
        if reason is None:
            return self._device_result(order.mode, outcome, DecisionReason.DEVICE_ANSWERED)
        if cloud is None:
            return await self._fall_back(order, outcome, reason)
        try:
            prediction = await cloud
        except CloudInferenceError as error:
            return self._without_cloud(order.mode, outcome, error)
        return self._cloud_result(order.mode, prediction, DecisionReason.FELL_BACK, reason, outcome)

    def _obstacle(self) -> DecisionReason | None:
        """Why the cloud cannot be asked."""
        if self._client is None or not self._options.cloud_enabled:
            return DecisionReason.CLOUD_DISABLED
        if self._deadline.remaining() <= self._options.min_cloud_seconds:
            return DecisionReason.CLOUD_TOO_LATE
        return None

    async def _ask_device(self, order: PredictOptions) -> DeviceOutcome:
        photos = [photo for photo in order.photos if isinstance(photo, bytes)]
        seconds = min(self._options.device_timeout_seconds, self._deadline.remaining())
        outcome = await try_device(self._device, photos, order.top_k, seconds, self._options.min_confidence)
        if outcome.error is not None:
            self._telemetry.log_device_inference_failure(outcome.seconds, outcome.error, order.mode)
        else:
            self._telemetry.log_device_inference_success(outcome.seconds, order.mode)
        return outcome

    async def _ask_cloud(self, order: PredictOptions, reason: FallbackReason | None = None) -> CloudPrediction:
        assert self._client is not None
        if reason is not None:
            self._telemetry.log_fallback(reason, now() - self._started)
            client = (order.client or ClientInfo()).model_copy(update={"fallback_reason": reason.value})
            order = replace(order, client=client)
        started = now()
        try:
            return await self._client.predict(replace(order, timeout_seconds=self._deadline.remaining()))
        finally:
            self._cloud_seconds = now() - started

    def _device_result(self, mode: InferenceMode, outcome: DeviceOutcome, reason: DecisionReason) -> InferenceResult:
        if outcome.diagnosis is None:
            assert outcome.error is not None
            raise outcome.error
        stages = self._stages(outcome)
        decision = Decision(
            mode=mode,
            ran_on="device",
            reason=reason,
            fallback_reason=outcome.fallback_reason,
            stage_seconds=stages,
        )
        return InferenceResult(diagnosis=outcome.diagnosis, decision=decision)

    def _without_cloud(
        self, mode: InferenceMode, outcome: DeviceOutcome, error: CloudInferenceError
    ) -> InferenceResult:
        """The device's answer, if it gave any, with the cloud's error beside it."""
        if outcome.diagnosis is None:
            raise error from outcome.error
        result = self._device_result(mode, outcome, DecisionReason.CLOUD_FAILED)
        return replace(result, decision=replace(result.decision, cloud_error=error))

    def _cloud_result(
        self,
        mode: InferenceMode,
        prediction: CloudPrediction,
        reason: DecisionReason,
        fallback_reason: FallbackReason | None = None,
        outcome: DeviceOutcome | None = None,
    ) -> InferenceResult:
        decision = Decision(
            mode=mode,
            ran_on="cloud",
            reason=reason,
            fallback_reason=fallback_reason,
            device_error=outcome.error if outcome else None,
            stage_seconds=self._stages(outcome, prediction),
        )
        return InferenceResult(diagnosis=prediction.diagnosis, decision=decision, cloud=prediction)

    def _stages(self, outcome: DeviceOutcome | None, prediction: CloudPrediction | None = None) -> dict[str, float]:
        stages = {"total": now() - self._started}
        if outcome is not None:
            stages["device"] = outcome.seconds
        if self._cloud_seconds is not None:
            stages["cloud"] = self._cloud_seconds
        own = prediction.stage_seconds if prediction else {}
        return stages | {f"cloud_{stage}": seconds for stage, seconds in own.items() if stage != "total"}
