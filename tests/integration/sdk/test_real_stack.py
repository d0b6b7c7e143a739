"""The SDK against all that is real: gateway, PostgreSQL, Triton, and the same model on the device."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from frond.coordinator import AsyncInferenceCoordinator, CoordinatorOptions
from frond.decision import DecisionReason
from frond.device import OnnxDevicePredictor
from frond.errors import CloudValidationError
from frond.sync_coordinator import InferenceCoordinator
from frond.types import FallbackReason
from stack.paths import ROOT
from tests.integration.sdk import faults
from tests.integration.sdk.conftest import Service, order
from tests.unit.preprocess.photos import draw_photo, encode

if TYPE_CHECKING:
    from frond.options import Delivery

PHOTOS = [encode(draw_photo(640, 480, seed), "JPEG") for seed in (1, 2)]
WANTED: dict[str, Any] = {"assessment_id": "a-1", "plant_context": {"id": "p-1"}}


@pytest.fixture
def service(real_service: Service) -> Service:
    return real_service


@pytest.fixture(scope="module")
def device() -> Iterator[OnnxDevicePredictor]:
    predictor = OnnxDevicePredictor(ROOT / "model_repository" / "classifier" / "1", threads=1)
    yield predictor
    predictor.close()


@pytest.mark.parametrize("delivery", ["multipart", "signed_urls"])
async def test_photos_are_diagnosed(service: Service, delivery: Delivery) -> None:
    async with service.client() as client:
        prediction = await client.predict(order(*PHOTOS, delivery=delivery, top_k=3))
    assert len(prediction.diagnosis.predictions) == 3
    assert len(prediction.diagnosis.images) == 2
    assert prediction.stage_seconds["infer"] < prediction.stage_seconds["total"]


async def test_device_and_cloud_say_the_same(service: Service, device: OnnxDevicePredictor) -> None:
    async with service.client() as client:
        cloud = (await client.predict(order(*PHOTOS))).diagnosis
    local = await device.predict(PHOTOS, 5)
    assert [each.label for each in local.predictions] == [each.label for each in cloud.predictions]
    assert local.abstain_reason == cloud.abstain_reason
    for here, there in zip(local.predictions, cloud.predictions, strict=True):
        assert here.confidence == pytest.approx(there.confidence, abs=1e-3)


async def test_a_device_that_is_too_slow_hands_over_through_a_bad_network(
    service: Service, device: OnnxDevicePredictor
) -> None:
    service.proxy.faults.extend([faults.reset_in_reply, faults.reset_at_once])
    async with service.client() as client:
        coordinator = AsyncInferenceCoordinator(client, device, CoordinatorOptions(device_timeout_seconds=0.001))
        result = await coordinator.run_inference(PHOTOS, **WANTED)
    assert (result.decision.ran_on, result.decision.reason) == ("cloud", DecisionReason.FELL_BACK)
    assert result.decision.fallback_reason == FallbackReason.DEVICE_TIMEOUT
    assert result.cloud is not None
    assert (result.cloud.attempts, result.cloud.replayed) == (3, True)
    assert await service.statuses_of(result.cloud.idempotency_key) == ["completed"]


async def test_a_program_without_a_loop_coordinates_too(service: Service, device: OnnxDevicePredictor) -> None:
    def call() -> list[str]:
        with service.sync_client() as client, InferenceCoordinator(client, device) as coordinator:
            return [
                coordinator.run_inference(PHOTOS, mode=mode, **WANTED).decision.ran_on for mode in ("device", "cloud")
            ]

    assert await asyncio.to_thread(call) == ["device", "cloud"]


async def test_a_model_version_that_is_not_served_is_refused(service: Service) -> None:
    async with service.client() as client:
        with pytest.raises(CloudValidationError, match="model_version_unknown"):
            await client.predict(order(*PHOTOS, model_version="no-such-version"))


async def test_what_the_gateway_refuses_on_the_way_is_retried_to_an_answer(service: Service) -> None:
    service.proxy.faults.append(faults.say(b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"))
    async with service.client() as client:
        assert (await client.predict(order(*PHOTOS))).attempts == 2
