"""A device whose wall clock is hours off, or jumps, against the real stack: only a token's times are judged by a clock,
and by the service's.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stack.paths import ROOT
from tests.integration.sdk import faults
from tests.unit.preprocess.photos import draw_photo, encode

if TYPE_CHECKING:
    from tests.integration.sdk.conftest import Service

DEVICE = Path(__file__).with_name("device_with_a_wrong_clock.py")
CLOCKS = ["12", "-12", "jumping"]
HOUR = timedelta(hours=1)
SECONDS = 60


@pytest.fixture(params=CLOCKS, ids=["ahead", "behind", "jumping"])
def clock(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "leaf.jpg"
    path.write_bytes(encode(draw_photo(300, 200), "JPEG"))
    return path


async def on_device(service: Service, clock: str, photo: Path, **task: Any) -> dict[str, Any]:
    """What came of a call there."""
    token = service.key.token()
    wanted = {"url": service.proxy.url, "token": token, "refreshed": token, "photos": [str(photo)], "seconds": 8}
    line = json.dumps({**wanted, "delivery": "multipart", **task})

    def call() -> str:
        command = [sys.executable, "-W", "error", str(DEVICE), clock]
        return subprocess.run(
            command, input=line, stdout=subprocess.PIPE, text=True, check=True, timeout=SECONDS, cwd=ROOT
        ).stdout

    outcome: dict[str, Any] = json.loads(await asyncio.to_thread(call))
    return outcome


@pytest.mark.parametrize("delivery", ["multipart", "signed_urls"])
async def test_a_call_is_answered_and_reported(real_service: Service, clock: str, photo: Path, delivery: str) -> None:
    outcome = await on_device(real_service, clock, photo, delivery=delivery)
    assert (outcome["attempts"], outcome["refreshes"], outcome["unreported"]) == (1, 0, 0)
    assert await real_service.statuses_of(outcome["key"]) == ["completed"]


async def test_a_call_is_tried_again_whatever_date_it_is_told_to_wait_for(
    real_service: Service, clock: str, photo: Path
) -> None:
    date = format_datetime(datetime.now(UTC) + HOUR, usegmt=True)
    busy = f"HTTP/1.1 503 Busy\r\nRetry-After: {date}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    real_service.proxy.faults.extend([faults.say(busy.encode()), faults.reset_in_reply])
    outcome = await on_device(real_service, clock, photo)
    assert outcome["attempts"] == 3
    assert await real_service.statuses_of(outcome["key"]) == ["completed"]


async def test_a_call_that_is_not_answered_ends_with_its_deadline(
    real_service: Service, clock: str, photo: Path
) -> None:
    real_service.proxy.faults.append(faults.stall_before_reply)
    outcome = await on_device(real_service, clock, photo, seconds=1)
    assert (outcome["category"], outcome["code"]) == ("timeout", "deadline_exceeded")
    assert 1 <= outcome["seconds"] < 4  # how late it may be is measured in test_faults.py


TIMES = {
    "expired": ({"exp": -HOUR}, "token_expired"),
    "not yet valid": ({"iat": HOUR, "nbf": HOUR, "exp": 2 * HOUR}, "token_invalid"),
}


@pytest.mark.parametrize(("times", "code"), TIMES.values(), ids=TIMES)
async def test_a_token_that_the_service_refuses_for_its_times_is_refreshed_once(
    real_service: Service, clock: str, photo: Path, times: dict[str, Any], code: str
) -> None:
    """The device has no say in it, so that a clock cannot make it keep the old one or refresh for ever."""
    refused = real_service.key.token(**times)
    outcome = await on_device(real_service, clock, photo, token=refused)
    assert (outcome["attempts"], outcome["refreshes"]) == (2, 1)
    outcome = await on_device(real_service, clock, photo, token=refused, refreshed=refused)
    assert (outcome["category"], outcome["code"], outcome["refreshes"]) == ("auth", code, 1)
