"""The model on the device: the service's own preprocessing, temperature and thresholds."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from frond.coordinator import AsyncInferenceCoordinator
from frond.device import OnnxDevicePredictor
from frond.errors import DeviceFailedError, DeviceUnavailableError
from preprocess.diagnosis import diagnose
from preprocess.release import read_release
from preprocess.tensor import to_tensor
from stack.paths import ROOT
from tests.gateways import sha256
from tests.unit.preprocess.photos import draw_photo, encode

RELEASE = ROOT / "model_repository" / "classifier" / "1"
PHOTOS = [encode(draw_photo(400, 300, seed), "JPEG") for seed in (1, 2)]


@pytest.fixture(scope="module")
def device() -> Iterator[OnnxDevicePredictor]:
    predictor = OnnxDevicePredictor(RELEASE, threads=1)
    yield predictor
    predictor.close()


async def test_it_says_what_the_service_says(device: OnnxDevicePredictor) -> None:
    release = read_release(RELEASE)
    session = onnxruntime.InferenceSession(str(RELEASE / "model.onnx"), providers=["CPUExecutionProvider"])
    tensors = np.stack([to_tensor(photo, release.preprocessing) for photo in PHOTOS])
    expected = diagnose(release, list(session.run(["LOGITS"], {"IMAGE": tensors})[0]), 3)
    diagnosis = await device.predict(PHOTOS, 3)
    assert [prediction.label for prediction in diagnosis.predictions] == [
        prediction["label"] for prediction in expected["predictions"]
    ]
    assert diagnosis.predictions[0].confidence == pytest.approx(expected["predictions"][0]["confidence"], abs=1e-4)
    assert diagnosis.abstained is expected["abstained"]
    assert diagnosis.model.temperature == release.calibration.temperature
    assert [image.sha256 for image in diagnosis.images] == [sha256(photo) for photo in PHOTOS]
    assert 0 < diagnosis.timing_ms.infer < diagnosis.timing_ms.total


async def test_a_photo_that_cannot_be_read_fails_alone(device: OnnxDevicePredictor) -> None:
    diagnosis = await device.predict([PHOTOS[0], PHOTOS[1][:300]], 1)
    assert diagnosis.images[0].error is None
    assert diagnosis.images[1].error is not None
    assert diagnosis.images[1].error.code == "image_truncated"
    assert diagnosis.predictions


async def test_when_no_photo_can_be_read_the_device_has_failed(device: OnnxDevicePredictor) -> None:
    coordinator = AsyncInferenceCoordinator(None, device)
    with pytest.raises(DeviceFailedError) as caught:
        await coordinator.run_inference([b"no photo"], assessment_id="a-1", plant_context={"id": "p-1"}, mode="device")
    assert caught.value.code == "image_type_unsupported"


async def test_a_cancelled_prediction_ends_and_the_next_one_works(device: OnnxDevicePredictor) -> None:
    large = encode(draw_photo(3000, 2000), "JPEG")
    call = asyncio.create_task(device.predict([large] * 8, 1))
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await device.predict(PHOTOS, 1)).predictions


def test_a_folder_without_a_model_is_no_device(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailableError):
        OnnxDevicePredictor(tmp_path)
    shutil.copytree(RELEASE, tmp_path / "release")
    (tmp_path / "release" / "model.onnx").write_bytes(b"no model")
    with pytest.raises(DeviceUnavailableError):
        OnnxDevicePredictor(tmp_path / "release")


def test_without_the_extra_there_is_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(DeviceUnavailableError, match="frond\\[device\\]"):
        OnnxDevicePredictor(RELEASE)
