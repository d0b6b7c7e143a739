"""The examples run as they stand, against a real gateway."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stack.paths import ROOT
from tests.unit.preprocess.photos import draw_photo, encode

if TYPE_CHECKING:
    from tests.integration.sdk.conftest import Service

EXAMPLES = ROOT / "client" / "examples"
RELEASE = ROOT / "model_repository" / "classifier" / "1"
SECONDS = 60


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "leaf.jpg"
    path.write_bytes(encode(draw_photo(300, 200), "JPEG"))
    return path


async def run(service: Service, name: str, *arguments: object, **environment: str) -> str:
    """What it prints; it must end with status 0."""
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    variables = {**os.environ, "FROND_URL": service.proxy.url, "FROND_TOKEN": service.key.token()} | environment

    def call() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=SECONDS, check=False)

    ended = await asyncio.to_thread(call)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return ended.stdout


async def test_one_photo(service: Service, photo: Path) -> None:
    printed = await run(service, "one_photo.py", photo, photo)
    assert "Tomato, Late blight: 93%" in printed
    assert "1 attempt(s)" in printed


async def test_device_first(service: Service, photo: Path) -> None:
    printed = await run(service, "device_first.py", RELEASE, photo)
    assert "on the " in printed
    assert "total" in printed


async def test_upload_first(service: Service, photo: Path) -> None:
    expired = service.key.token(exp=timedelta(hours=-1))
    printed = await run(service, "upload_first.py", photo, FROND_OLD_TOKEN=expired)
    assert "image_upload: " in printed
    assert "Late blight" in printed


async def test_try_again(service: Service, photo: Path) -> None:
    service.diagnoser.gate = asyncio.Event()
    call = asyncio.create_task(run(service, "try_again.py", photo, SECONDS_TO_WAIT="1"))
    await service.diagnoser.waiting.wait()
    await asyncio.sleep(2)
    service.diagnoser.gate.set()
    printed = await call
    assert "No answer in time; request " in printed
    assert "Late blight" in printed


async def test_with_opentelemetry(service: Service, photo: Path) -> None:
    printed = await run(service, "with_opentelemetry.py", photo)
    assert '"frond.client.duration"' in printed
    assert '"event": "cloud_inference_success"' in printed


def test_there_is_a_test_for_each() -> None:
    tested = {name.removeprefix("test_") + ".py" for name in globals() if name.startswith("test_")}
    assert {path.name for path in EXAMPLES.glob("*.py")} <= tested
