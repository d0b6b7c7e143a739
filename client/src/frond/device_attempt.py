"""One try on the device, with a deadline: an answer, good enough or not, or why there is none."""

from __future__ import annotations

import asyncio
import inspect
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from frond.clock import now
from frond.errors import DeviceFailedError, DeviceInferenceError, DeviceTimeoutError, DeviceUnavailableError
from frond.types import AbstainReason, Diagnosis, FallbackReason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence


class DevicePredictor(Protocol):
    """A model of one's own on the device, for the coordinator.

    `predict` gets the photos as they are, metadata included, and answers with at most `top_k` predictions; what it
    raises makes the device fail. It may be a plain function (`def`): each call then has a thread of its own, so that
    the deadlines end the wait for it whatever it does. An `async def` shares the coordinator's event loop: cancelled at
    a deadline, it should stop, and it must not block, which would stop the deadlines as well.
    """

    def predict(self, photos: Sequence[bytes], top_k: int) -> Diagnosis | Awaitable[Diagnosis]: ...


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
            diagnosis = await _diagnosis(device, photos, top_k)
    except Exception as error:  # noqa: BLE001  (a model that fails must not take the app along)
        failure = _because(DeviceTimeoutError(), error) if timer.expired() else _named(error)
        return DeviceOutcome(now() - started, None, failure, _reason(failure))
    return _judged(diagnosis, now() - started, min_confidence)


async def _diagnosis(device: DevicePredictor, photos: Sequence[bytes], top_k: int) -> Diagnosis:
    answer: Diagnosis | Awaitable[Diagnosis]
    if inspect.iscoroutinefunction(device.predict):
        answer = device.predict(photos, top_k)
    else:
        answer = await _in_a_thread(device, photos, top_k)
    diagnosis: object = await answer if inspect.isawaitable(answer) else answer
    if not isinstance(diagnosis, Diagnosis):
        raise DeviceFailedError(f"The device's model answered with {type(diagnosis).__name__}, not with a Diagnosis.")
    return diagnosis


async def _in_a_thread(
    device: DevicePredictor, photos: Sequence[bytes], top_k: int
) -> Diagnosis | Awaitable[Diagnosis]:
    """On a daemon's thread: one that never ends must not keep a pool, a loop or the program from ending."""
    answer: Future[Diagnosis | Awaitable[Diagnosis]] = Future()

    def work() -> None:
        if not answer.set_running_or_notify_cancel():
            return
        try:
            result = device.predict(photos, top_k)
        except BaseException as error:  # noqa: BLE001  (what would end this thread would not end the wait for it)
            answer.set_exception(_named(error))
        else:
            answer.set_result(result)

    threading.Thread(target=work, name="frond device", daemon=True).start()
    return await asyncio.wrap_future(answer)


def _judged(diagnosis: Diagnosis, seconds: float, min_confidence: float) -> DeviceOutcome:
    if not diagnosis.predictions:
        codes = [photo.error.code for photo in diagnosis.images if photo.error]
        error = DeviceFailedError("The device could read none of the photos.", code=next(iter(codes), "device_failed"))
        return DeviceOutcome(seconds, None, error, FallbackReason.DEVICE_FAILED)
    is_enough = diagnosis.abstain_reason != AbstainReason.LOW_CONFIDENCE and (
        diagnosis.abstained or diagnosis.predictions[0].confidence >= min_confidence
    )
    return DeviceOutcome(seconds, diagnosis, None, None if is_enough else FallbackReason.DEVICE_LOW_CONFIDENCE)


def _named(error: BaseException) -> DeviceInferenceError:
    if isinstance(error, DeviceInferenceError):
        return error
    return _because(DeviceFailedError(f"The model on the device failed ({type(error).__name__})."), error)


def _because(failure: DeviceInferenceError, error: BaseException) -> DeviceInferenceError:
    failure.__cause__ = error
    return failure


def _reason(error: DeviceInferenceError) -> FallbackReason:
    match error:
        case DeviceTimeoutError():
            return FallbackReason.DEVICE_TIMEOUT
        case DeviceUnavailableError():
            return FallbackReason.DEVICE_UNAVAILABLE
        case _:
            return FallbackReason.DEVICE_FAILED
