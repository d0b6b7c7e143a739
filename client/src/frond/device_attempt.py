"""One try on the device, with a deadline: an answer, good enough or not, or why there is none."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from frond.clock import now
from frond.errors import DeviceFailedError, DeviceInferenceError, DeviceTimeoutError, DeviceUnavailableError
from frond.types import AbstainReason, FallbackReason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frond.types import Diagnosis


class DevicePredictor(Protocol):
    """A model on the device. Cancelled, it should stop; it is not waited for."""

    async def predict(self, photos: Sequence[bytes], top_k: int) -> Diagnosis: ...


@dataclass(frozen=True, slots=True)
class DeviceOutcome:
    """`fallback_reason` is None for an answer that is good enough; exactly one of `diagnosis` and `error` is there."""

    seconds: float
    diagnosis: Diagnosis | None = None
    error: DeviceInferenceError | None = None
    fallback_reason: FallbackReason | None = None


async def try_device(
    device: DevicePredictor | None, photos: Sequence[bytes], top_k: int, timeout_seconds: float, min_confidence: float
) -> DeviceOutcome:
    """Whatever the device's code raises is an outcome; only cancellation comes through."""
    started = now()
    if device is None:
        return DeviceOutcome(0.0, None, DeviceUnavailableError(), FallbackReason.DEVICE_UNAVAILABLE)
    try:
        async with asyncio.timeout(timeout_seconds) as timer:
            diagnosis = await device.predict(photos, top_k)
    except Exception as error:  # noqa: BLE001  (a model that fails must not take the app along)
        failure = DeviceTimeoutError() if timer.expired() else _named(error)
        if failure is not error:
            failure.__cause__ = error
        return DeviceOutcome(now() - started, None, failure, _reason(failure))
    return _judged(diagnosis, now() - started, min_confidence)


def _judged(diagnosis: Diagnosis, seconds: float, min_confidence: float) -> DeviceOutcome:
    if not diagnosis.predictions:
        codes = [photo.error.code for photo in diagnosis.images if photo.error]
        error = DeviceFailedError("The device could read none of the photos.", code=next(iter(codes), "device_failed"))
        return DeviceOutcome(seconds, None, error, FallbackReason.DEVICE_FAILED)
    is_enough = diagnosis.abstain_reason != AbstainReason.LOW_CONFIDENCE and (
        diagnosis.abstained or diagnosis.predictions[0].confidence >= min_confidence
    )
    return DeviceOutcome(seconds, diagnosis, None, None if is_enough else FallbackReason.DEVICE_LOW_CONFIDENCE)


def _named(error: Exception) -> DeviceInferenceError:
    return error if isinstance(error, DeviceInferenceError) else DeviceFailedError()


def _reason(error: DeviceInferenceError) -> FallbackReason:
    match error:
        case DeviceTimeoutError():
            return FallbackReason.DEVICE_TIMEOUT
        case DeviceUnavailableError():
            return FallbackReason.DEVICE_UNAVAILABLE
        case _:
            return FallbackReason.DEVICE_FAILED
