"""Readiness: every part is asked, seldom, and none can hide behind another."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import DatabaseUnavailableError, ModelFailedError, TritonUnavailableError
from gateway.health.picture import green_png
from gateway.health.service import FRESH_SECONDS, Lifecycle, ReadinessService
from gateway.health.triton import InferenceProbe
from preprocess.header import read_header
from tests.gateways import FakeDiagnoser, SigningKey, parts_with, photo_answer, serve, settings_in

if TYPE_CHECKING:
    from pathlib import Path


class Part:
    """A probe that counts, and fails when told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.checks = 0

    async def check(self) -> None:
        self.checks += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error


async def test_with_all_parts_well_it_is_ready() -> None:
    readiness = await ReadinessService(Lifecycle(), {"database": Part(), "triton": Part()}).readiness()
    assert readiness.is_ready
    assert readiness.parts == {"database": None, "triton": None}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TritonUnavailableError("out"), "triton_unavailable: out"),
        (RuntimeError("bug"), "the probe failed; see the log"),
    ],
)
async def test_one_part_that_fails_is_named(error: Exception, reason: str) -> None:
    readiness = await ReadinessService(Lifecycle(), {"database": Part(), "triton": Part(error)}).readiness()
    assert not readiness.is_ready
    assert readiness.parts == {"database": None, "triton": reason}


async def test_many_who_ask_at_once_cost_one_check() -> None:
    part = Part()
    service = ReadinessService(Lifecycle(), {"triton": part})
    await asyncio.gather(*(service.readiness() for _ in range(20)))
    assert part.checks == 1


async def test_after_a_moment_the_parts_are_asked_again() -> None:
    part = Part(TritonUnavailableError("out"))
    service = ReadinessService(Lifecycle(), {"triton": part})
    assert not (await service.readiness()).is_ready
    part.error = None
    await asyncio.sleep(FRESH_SECONDS + 0.05)
    assert (await service.readiness()).is_ready


async def test_who_was_asked_to_go_is_not_ready() -> None:
    lifecycle = Lifecycle()
    service = ReadinessService(lifecycle, {"triton": Part()})
    lifecycle.is_draining = True
    assert not (await service.readiness()).is_ready


def test_the_picture_of_the_synthetic_inference_is_a_photo() -> None:
    header = read_header(green_png())
    assert (header.content_type, header.width, header.height) == ("image/png", 32, 32)


async def test_a_model_that_cannot_read_the_picture_is_not_well() -> None:
    diagnoser = FakeDiagnoser()
    await InferenceProbe(diagnoser).check()
    answer = photo_answer([b""])
    answer["images"][0]["error"] = {"code": "image_corrupt"}
    diagnoser.content = json.dumps(answer).encode()
    with pytest.raises(ModelFailedError):
        await InferenceProbe(diagnoser).check()


@pytest.mark.parametrize("error", [None, DatabaseUnavailableError("out")])
async def test_readiness_is_a_status_and_a_report_and_liveness_does_not_depend_on_it(
    tmp_path: Path, error: Exception | None
) -> None:
    parts = parts_with(FakeDiagnoser(), database=Part(error), triton=Part())
    async with serve(settings_in(tmp_path, SigningKey()), parts) as client:
        response = await client.get("/health/ready")
        report: dict[str, Any] = response.json()
        assert response.status_code == (503 if error else 200)
        assert report["ready"] is (error is None)
        assert report["parts"]["triton"] == {"ready": True, "reason": None}
        assert report["parts"]["database"]["ready"] is (error is None)
        assert (await client.get("/health/live")).json() == {"live": True}
