"""Readiness: every part is asked, seldom, and none can hide behind another."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from gateway.deadline import Deadline
from gateway.errors import DatabaseUnavailableError, TritonUnavailableError
from gateway.health.service import FRESH_SECONDS, Condition, Lifecycle, ReadinessService
from gateway.inference import breaker, endpoint
from gateway.inference.picture import green_png
from gateway.inference.service import open_inference
from gateway.metrics import Metrics
from preprocess.header import read_header
from tests.fake_triton import FakeTriton, serving
from tests.gateways import FakeDiagnoser, SigningKey, parts_with, photo_answer, serve, settings_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.app import Parts
    from gateway.diagnoses.protocols import ModelAnswer
    from gateway.inference.service import Inference
    from gateway.settings import Settings


WELL = Condition(is_ready=True)


class Part:
    """A probe that counts, and fails when told to."""

    def __init__(self, error: Exception | None = None, note: str | None = None) -> None:
        self.error = error
        self.note = note
        self.checks = 0

    async def check(self) -> str | None:
        self.checks += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return self.note


async def test_with_all_parts_well_it_is_ready() -> None:
    readiness = await ReadinessService(Lifecycle(), {"database": Part(), "triton": Part()}).readiness()
    assert readiness.is_ready
    assert readiness.parts == {"database": WELL, "triton": WELL}


async def test_what_is_not_well_with_a_part_that_does_its_work_is_told() -> None:
    readiness = await ReadinessService(Lifecycle(), {"triton": Part(note="one of two is out")}).readiness()
    assert readiness.is_ready
    assert readiness.parts["triton"] == Condition(is_ready=True, reason="one of two is out")


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
    assert readiness.parts == {"database": WELL, "triton": Condition(is_ready=False, reason=reason)}


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


UNLOADED = (grpc.StatusCode.UNAVAILABLE, "The classifier is not available.")


def test_the_picture_of_the_synthetic_inference_is_a_photo() -> None:
    header = read_header(green_png())
    assert (header.content_type, header.width, header.height) == ("image/png", 32, 32)


@asynccontextmanager
async def inference(folder: Path, *fakes: FakeTriton | None, **settings: Any) -> AsyncIterator[Inference]:
    """Over so many Tritons; None is one that is not there."""
    async with AsyncExitStack() as stack:
        addresses = [
            "127.0.0.1:1" if fake is None else await stack.enter_async_context(serving(fake)) for fake in fakes
        ]
        configured = settings_in(folder, SigningKey(), triton_grpc=",".join(addresses), **settings)
        yield await stack.enter_async_context(open_inference(configured, Metrics()))


async def test_triton_is_ready_when_a_photo_came_out_diagnosed(tmp_path: Path) -> None:
    fake = FakeTriton()
    async with inference(tmp_path, fake) as model:
        assert await model.check() is None
    assert len(fake.probes) == 1


async def test_one_of_two_that_is_out_is_named_and_leaves_it_ready(tmp_path: Path) -> None:
    async with inference(tmp_path, FakeTriton(), None) as model:
        note = await model.check()
    assert note is not None
    assert re.fullmatch(r"Triton [12]: refused", note)


async def test_with_all_out_it_is_not_ready(tmp_path: Path) -> None:
    async with inference(tmp_path, None) as model:
        with pytest.raises(TritonUnavailableError, match=r"^Triton 1: refused$"):
            await model.check()


async def test_one_slow_probe_leaves_it_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "PROBE_SECONDS", 0.1)
    monkeypatch.setattr(breaker, "QUIET_SECONDS", 0.1)
    monkeypatch.setattr(breaker, "FIRST_PAUSE_SECONDS", 60)  # after a bad one
    fake = FakeTriton()
    async with inference(tmp_path, fake) as model:
        assert await model.check() is None
        fake.gate = asyncio.Event()
        async with asyncio.timeout(5):
            while len(fake.probes) < 2 or not fake.cancelled.is_set():  # noqa: ASYNC110  (what the fake has seen)
                await asyncio.sleep(0.01)
        assert await model.check() is None


async def test_a_model_that_cannot_read_the_picture_is_not_well(tmp_path: Path) -> None:
    answer, fake = photo_answer([b""]), FakeTriton()
    answer["images"][0]["error"] = {"code": "image_corrupt"}
    fake.answer = answer
    async with inference(tmp_path, fake) as model:
        with pytest.raises(TritonUnavailableError, match="refused"):
            await model.check()


async def test_with_a_degraded_release_it_is_ready_as_long_as_that_one_answers(tmp_path: Path) -> None:
    smaller = FakeTriton()
    async with serving(smaller) as address:
        settings = {"degraded_version": "lite", "degraded_triton_grpc": address}
        async with inference(tmp_path, None, **settings) as model:
            assert await model.check() == "the degraded release answers; Triton 1: refused"
    assert smaller.probes[0].parameters["version"].string_param == "lite"


async def test_a_promoted_release_that_is_not_loaded_makes_it_ready_only_with_a_degraded_one(tmp_path: Path) -> None:
    fake = FakeTriton()
    fake.failures_of = {"": UNLOADED, "lost": (grpc.StatusCode.NOT_FOUND, "There is no release 'lost'.")}
    async with inference(tmp_path, fake) as model:
        with pytest.raises(TritonUnavailableError, match="unserved"):
            await model.check()
    async with inference(tmp_path, fake, degraded_version="lite") as model:
        assert (await model.check() or "").startswith("the degraded release answers")
    async with inference(tmp_path, fake, degraded_version="lost") as model:
        with pytest.raises(TritonUnavailableError, match="unserved"):
            await model.check()


async def test_answers_of_the_degraded_release_do_not_hide_that_the_promoted_one_is_out(tmp_path: Path) -> None:
    fake = FakeTriton()
    async with inference(tmp_path, fake, degraded_version="lite") as model:
        assert await model.check() is None
        fake.failures_of = {"": UNLOADED}
        async with asyncio.timeout(20):
            while not (await model.check() or "").startswith("the degraded release answers"):
                assert (await ask(model)).degraded
        fake.failures_of = {}
        async with asyncio.timeout(20):
            while await model.check() is not None:
                assert await ask(model)


async def ask(model: Inference) -> ModelAnswer:
    return await model.diagnoser.diagnose([green_png()], 1, None, "request", Deadline.after(5))


async def test_a_degraded_release_that_was_removed_answers_nobody_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "QUIET_SECONDS", 0.05)
    smaller = FakeTriton()
    async with serving(smaller) as address:
        settings = {"degraded_version": "lite", "degraded_triton_grpc": address}
        async with inference(tmp_path, None, **settings) as model:
            assert (await model.check() or "").startswith("the degraded release answers")
            smaller.failure = (grpc.StatusCode.NOT_FOUND, "There is no release 'lite'.")
            asked = len(smaller.probes)
            async with asyncio.timeout(5):
                while len(smaller.probes) < asked + 2:  # noqa: ASYNC110  (what the fake has seen)
                    await asyncio.sleep(0.01)
            with pytest.raises(TritonUnavailableError):
                await model.check()


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
        assert (await client.get("/health/serving")).status_code == 200


async def test_load_balancers_are_told_to_send_no_more_while_it_drains(tmp_path: Path) -> None:
    @asynccontextmanager
    async def draining(settings: Settings, lifecycle: Lifecycle) -> AsyncIterator[Parts]:
        lifecycle.is_draining = True
        async with parts_with(FakeDiagnoser(), triton=Part())(settings, lifecycle) as parts:
            yield parts

    async with serve(settings_in(tmp_path, SigningKey()), draining) as client:
        assert (await client.get("/health/serving")).status_code == 503
        assert (await client.get("/health/live")).status_code == 200
