"""The table of the coordinator's decisions in the reference is what the coordinator does."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from frond.coordinator import AsyncInferenceCoordinator
from frond.errors import CloudInferenceError, CloudServerError, DeviceFailedError, FrondError
from frond.types import PlantContext
from stack.paths import ROOT
from tests.unit.sdk.coordination import PHOTO, UNSURE, FakeCloud, FakeDevice
from tests.unit.sdk.virtual_time import VirtualTimeLoop, run

if TYPE_CHECKING:
    from frond.decision import InferenceResult

PAGE = ROOT / "docs" / "reference" / "coordinator.md"
START, END = "<!-- made by tests/unit/sdk/test_coordinator_table.py -->\n", "<!-- end -->\n"

NEVER = 60.0
DEVICE_SECONDS = 3.0  # the default deadline of the device
DEVICES = {
    "answers in 0.3 s": FakeDevice(0.3),
    "fails after 0.3 s": FakeDevice(0.3, DeviceFailedError()),
    "hangs, 3 s": FakeDevice(NEVER),
    "is unsure after 0.3 s": FakeDevice(0.3, UNSURE),
}
CLOUDS = {
    "answers in 0.8 s": FakeCloud(0.8),
    "fails after 0.4 s": FakeCloud(0.4, CloudServerError("out", code="triton_unavailable")),
    "hangs": FakeCloud(NEVER),
}
BUDGETS_LEFT = (0.5, 1.0, 4.0)


async def case(device: FakeDevice, cloud: FakeCloud, left: float) -> tuple[str, str, float]:
    """What came of it, why, and after how many seconds."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    started = loop.time()
    coordinator = AsyncInferenceCoordinator(replace(cloud), replace(device))
    try:
        result = await coordinator.run_inference(
            [PHOTO],
            assessment_id="a-1",
            plant_context=PlantContext(id="p-1"),
            timeout_seconds=min(device.seconds, DEVICE_SECONDS) + left,
        )
        what, why = answer(result)
    except FrondError as error:
        what, why = failure(error)
    return what, why, loop.time() - started


def answer(result: InferenceResult) -> tuple[str, str]:
    decision = result.decision
    return f"{decision.ran_on}'s answer", ", ".join(filter(None, [decision.reason, decision.fallback_reason]))


def failure(error: FrondError) -> tuple[str, str]:
    whose = "cloud" if isinstance(error, CloudInferenceError) else "device"
    return f"{whose}'s error", error.code


def table() -> str:
    lines = ["| device | cloud | budget left, s | outcome | why | after, s |", "| --- | --- | --- | --- | --- | --- |"]
    for device_does, device in DEVICES.items():
        for cloud_does, cloud in CLOUDS.items():
            for left in BUDGETS_LEFT:
                what, why, seconds = run(case(device, cloud, left))
                lines.append(f"| {device_does} | {cloud_does} | {left:g} | {what} | `{why}` | {seconds:.1f} |")
    return "\n".join(lines) + "\n"


def test_the_page_has_the_table() -> None:
    """FROND_WRITE_DOCS=1 writes it."""
    page = PAGE.read_text()
    before, rest = page.split(START)
    written, after = rest.split(END)
    made = table()
    if os.environ.get("FROND_WRITE_DOCS"):
        PAGE.write_text(before + START + made + END + after)
    else:
        assert written == made, "FROND_WRITE_DOCS=1 writes it anew"
