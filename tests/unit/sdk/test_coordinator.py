"""The device first, the cloud where that is not enough; on a clock that jumps."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from frond.coordinator import AsyncInferenceCoordinator, CoordinatorOptions
from frond.decision import DecisionReason, InferenceResult
from frond.errors import (
    CloudServerError,
    CloudValidationError,
    DeviceFailedError,
    DeviceInferenceError,
    DeviceTimeoutError,
    DeviceUnavailableError,
)
from frond.types import ClientInfo, Diagnosis, FallbackReason, InferenceMode, PlantContext, TelemetryKind
from tests.unit.sdk.answers import diagnosis
from tests.unit.sdk.coordination import CONFIDENT, NO_LEAF, PHOTO, UNSURE, FakeCloud, FakeDevice
from tests.unit.sdk.virtual_time import run

OUT = CloudServerError("out", code="triton_unavailable", retryable=True)
LONG = 60.0


def infer(
    device: FakeDevice | None, cloud: FakeCloud | None, *, options: dict[str, Any] | None = None, **order: Any
) -> Coroutine[Any, Any, InferenceResult]:
    coordinator = AsyncInferenceCoordinator(cloud, device, CoordinatorOptions(**options or {}))
    wanted: dict[str, Any] = {"assessment_id": "a-1", "plant_context": PlantContext(id="p-1")} | order
    return coordinator.run_inference([PHOTO], **wanted)


def test_a_device_that_knows_is_enough() -> None:
    cloud = FakeCloud()
    result = run(infer(FakeDevice(), cloud))
    assert (result.decision.ran_on, result.decision.reason) == ("device", DecisionReason.DEVICE_ANSWERED)
    assert result.decision.stage_seconds["device"] == pytest.approx(0.3)
    assert not cloud.asked


def test_a_device_that_sees_no_leaf_is_enough() -> None:
    assert run(infer(FakeDevice(outcome=NO_LEAF), FakeCloud())).decision.ran_on == "device"


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        (FakeDevice(outcome=UNSURE), FallbackReason.DEVICE_LOW_CONFIDENCE),
        (FakeDevice(outcome=MemoryError()), FallbackReason.DEVICE_FAILED),
        (FakeDevice(outcome=TimeoutError()), FallbackReason.DEVICE_FAILED),
        (FakeDevice(outcome=DeviceUnavailableError()), FallbackReason.DEVICE_UNAVAILABLE),
        (FakeDevice(outcome=Diagnosis.model_validate(diagnosis(predictions=[]))), FallbackReason.DEVICE_FAILED),
        (FakeDevice(seconds=LONG), FallbackReason.DEVICE_TIMEOUT),
        (None, FallbackReason.DEVICE_UNAVAILABLE),
    ],
    ids=["unsure", "failed", "failed with a timeout of its own", "unavailable", "nothing readable", "slow", "none"],
)
def test_a_device_that_is_not_enough_hands_over_and_says_why(device: FakeDevice | None, reason: FallbackReason) -> None:
    cloud = FakeCloud()
    result = run(infer(device, cloud, model_version="7", client=ClientInfo(app_version="2.4.1")))
    assert (result.decision.ran_on, result.decision.fallback_reason) == ("cloud", reason)
    assert result.cloud is not None
    (asked,) = cloud.asked
    assert asked.client == ClientInfo(app_version="2.4.1", fallback_reason=reason.value)
    assert asked.model_version == "7"
    assert TelemetryKind.FALLBACK in [event.event for event in cloud.events]


class TestAModelOfOnesOwn:
    """With a plain function, on a real clock: a thread waits for no other."""

    def infer(self, predict: Callable[..., Any], mode: str = "device", **options: float) -> InferenceResult:
        device = SimpleNamespace(predict=predict)
        coordinator = AsyncInferenceCoordinator(None, device, CoordinatorOptions(**options))  # type: ignore[arg-type]
        return asyncio.run(
            coordinator.run_inference([PHOTO], assessment_id="a-1", plant_context={"id": "p-1"}, mode=mode)
        )

    def test_a_plain_function_is_one(self) -> None:
        asked: list[str] = []

        def predict(photos: list[bytes], top_k: int) -> Diagnosis:
            asked.append(threading.current_thread().name)
            return CONFIDENT

        assert self.infer(predict).diagnosis == CONFIDENT
        assert asked == ["frond device"]

    def test_what_blocks_does_not_disable_the_deadline(self) -> None:
        blocked = threading.Event()
        started = time.monotonic()
        with pytest.raises(DeviceTimeoutError):
            self.infer(lambda *_: blocked.wait(60), device_timeout_seconds=0.2)
        assert time.monotonic() - started < 10
        blocked.set()

    @pytest.mark.parametrize("error", [ValueError, SystemExit, StopIteration, KeyboardInterrupt])
    def test_whatever_it_raises_the_device_has_failed(self, error: type[BaseException]) -> None:
        def predict(photos: list[bytes], top_k: int) -> Diagnosis:
            raise error

        with pytest.raises(DeviceFailedError, match=error.__name__) as caught:
            self.infer(predict)
        assert isinstance(caught.value.__cause__, error)

    def test_what_is_no_diagnosis_is_said_to_be_none(self) -> None:
        with pytest.raises(DeviceFailedError, match="answered with dict"):
            self.infer(lambda *_: {"label": "Late blight"})


def test_the_first_prediction_must_have_the_confidence_that_is_asked_for() -> None:
    assert run(infer(FakeDevice(), FakeCloud(), options={"min_confidence": 0.9})).decision.ran_on == "device"
    assert run(infer(FakeDevice(), FakeCloud(), options={"min_confidence": 0.95})).decision.ran_on == "cloud"


def test_the_cloud_gets_what_is_left_of_the_budget() -> None:
    cloud = FakeCloud()
    run(infer(FakeDevice(seconds=LONG), cloud, options={"device_timeout_seconds": 2.5}, timeout_seconds=6))
    assert cloud.asked[0].timeout_seconds == pytest.approx(3.5)


@pytest.mark.parametrize(("left", "goes"), [(0.99, False), (1.0, False), (1.01, True)])
def test_the_cloud_is_asked_only_if_more_than_a_second_is_left(left: float, goes: bool) -> None:
    cloud = FakeCloud()
    work = infer(FakeDevice(seconds=1, outcome=DeviceFailedError()), cloud, timeout_seconds=1 + left)
    if goes:
        assert run(work).decision.ran_on == "cloud"
    else:
        with pytest.raises(DeviceFailedError):
            run(work)
    assert bool(cloud.asked) is goes


def test_without_the_cloud_the_devices_own_error_is_raised() -> None:
    with pytest.raises(DeviceTimeoutError):
        run(infer(FakeDevice(seconds=LONG), FakeCloud(), options={"cloud_enabled": False}))
    with pytest.raises(DeviceFailedError) as caught:
        run(infer(FakeDevice(outcome=ZeroDivisionError()), None))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_without_the_cloud_an_unsure_answer_is_better_than_none() -> None:
    decision = run(infer(FakeDevice(outcome=UNSURE), None)).decision
    assert (decision.ran_on, decision.reason) == ("device", DecisionReason.CLOUD_DISABLED)
    assert decision.fallback_reason == FallbackReason.DEVICE_LOW_CONFIDENCE


def test_when_both_fail_the_clouds_error_is_raised_and_the_devices_is_its_cause() -> None:
    with pytest.raises(CloudServerError) as caught:
        run(infer(FakeDevice(outcome=DeviceFailedError()), FakeCloud(outcome=OUT)))
    assert isinstance(caught.value.__cause__, DeviceInferenceError)


def test_when_the_cloud_fails_an_unsure_answer_is_better_than_none() -> None:
    result = run(infer(FakeDevice(outcome=UNSURE), FakeCloud(outcome=OUT)))
    assert result.diagnosis == UNSURE
    assert (result.decision.reason, result.decision.cloud_error) == (DecisionReason.CLOUD_FAILED, OUT)


def test_mode_device_never_asks_the_cloud() -> None:
    cloud = FakeCloud()
    result = run(infer(FakeDevice(outcome=UNSURE), cloud, mode="device"))
    assert (result.decision.ran_on, result.decision.reason) == ("device", DecisionReason.DEVICE_ANSWERED)
    assert not cloud.asked
    with pytest.raises(DeviceUnavailableError):
        run(infer(None, cloud, mode="device"))


def test_mode_cloud_never_asks_the_device() -> None:
    device = FakeDevice(outcome=AssertionError())
    result = run(infer(device, FakeCloud(), mode=InferenceMode.CLOUD))
    assert (result.decision.ran_on, result.decision.reason) == ("cloud", DecisionReason.CLOUD_WANTED)
    with pytest.raises(CloudValidationError) as caught:
        run(infer(device, None, mode="cloud"))
    assert caught.value.code == "client_unconfigured"


@pytest.mark.parametrize(
    "order",
    [{"assessment_id": ""}, {"assessment_id": None}, {"plant_context": None}, {"mode": "both"}, {"timeout_seconds": 9}],
)
@pytest.mark.parametrize("device", [FakeDevice(outcome=AssertionError())])
def test_a_wrong_request_is_refused_before_anything_runs(device: FakeDevice, order: dict[str, Any]) -> None:
    with pytest.raises(CloudValidationError):
        run(infer(device, FakeCloud(), **order))


class TestHedged:
    def test_a_quick_device_asks_nobody(self) -> None:
        cloud = FakeCloud()
        assert run(infer(FakeDevice(0.3), cloud, options={"hedge_after_seconds": 0.5})).decision.ran_on == "device"
        assert not cloud.asked

    def test_the_cloud_that_is_first_wins_and_the_device_is_cancelled(self) -> None:
        device = FakeDevice(2.0)
        decision = run(infer(device, FakeCloud(0.8), options={"hedge_after_seconds": 0.5})).decision
        assert (decision.ran_on, decision.reason) == ("cloud", DecisionReason.HEDGE_WON)
        assert decision.stage_seconds["total"] == pytest.approx(1.3)
        assert device.was_cancelled

    def test_the_device_that_is_first_wins_and_the_cloud_is_cancelled(self) -> None:
        cloud = FakeCloud(5)
        decision = run(infer(FakeDevice(1.0), cloud, options={"hedge_after_seconds": 0.5})).decision
        assert (decision.ran_on, decision.reason) == ("device", DecisionReason.DEVICE_ANSWERED)
        assert decision.stage_seconds["total"] == pytest.approx(1.0)
        assert cloud.was_cancelled

    def test_a_cloud_that_fails_first_leaves_it_to_the_device(self) -> None:
        result = run(infer(FakeDevice(2.0), FakeCloud(0.2, OUT), options={"hedge_after_seconds": 0.5}))
        assert (result.decision.ran_on, result.diagnosis) == ("device", CONFIDENT)

    def test_a_device_that_is_unsure_waits_for_the_cloud(self) -> None:
        decision = run(infer(FakeDevice(0.6, UNSURE), FakeCloud(0.8), options={"hedge_after_seconds": 0.5})).decision
        assert (decision.ran_on, decision.reason) == ("cloud", DecisionReason.FELL_BACK)
        assert decision.stage_seconds["total"] == pytest.approx(1.3)

    def test_when_both_fail_the_clouds_error_is_raised(self) -> None:
        with pytest.raises(CloudServerError):
            run(infer(FakeDevice(1.0, OSError()), FakeCloud(0.2, OUT), options={"hedge_after_seconds": 0.5}))

    def test_a_caller_who_gives_up_leaves_nothing_running(self) -> None:
        device, cloud = FakeDevice(LONG), FakeCloud(LONG)

        async def give_up() -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await infer(device, cloud, options={"hedge_after_seconds": 0.5})
            assert len(asyncio.all_tasks()) == 1

        run(give_up())
        assert device.was_cancelled
        assert cloud.was_cancelled
