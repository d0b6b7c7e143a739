"""The client in an environment that has nothing else: installed, and the guide's first example run, within a minute."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stack.paths import ROOT
from tests.unit.preprocess.photos import draw_photo, encode

if TYPE_CHECKING:
    from tests.integration.sdk.conftest import Service

SECONDS = 60
QUIET = ("--quiet", "--disable-pip-version-check", "--no-input")


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | environment
    return subprocess.run(
        list(map(str, command)), env=variables, capture_output=True, text=True, timeout=2 * SECONDS, check=False
    )


def installed(folder: Path) -> Path:
    """The interpreter of a new environment with the client; skips where packages cannot be fetched."""
    source, python = folder / "client", folder / "venv" / "bin" / "python"
    shutil.copytree(ROOT / "client", source, ignore=shutil.ignore_patterns("build", "*.egg-info", "node_modules"))
    run(sys.executable, "-m", "venv", folder / "venv").check_returncode()
    ended = run(python, "-m", "pip", "install", *QUIET, source)
    if ended.returncode and run(python, "-m", "pip", "download", *QUIET, "--no-deps", "-d", folder, "pip").returncode:
        pytest.skip("there is no package index")
    assert ended.returncode == 0, ended.stderr
    return python


async def test_the_first_example_runs_within_a_minute(service: Service, tmp_path: Path) -> None:
    photo = tmp_path / "leaf.jpg"
    photo.write_bytes(encode(draw_photo(300, 200), "JPEG"))
    started = time.monotonic()
    python = await asyncio.to_thread(installed, tmp_path)
    example = ROOT / "client" / "examples" / "one_photo.py"
    variables = {"FROND_URL": service.proxy.url, "FROND_TOKEN": service.key.token()}
    ended = await asyncio.to_thread(lambda: run(python, example, photo, **variables))
    seconds = time.monotonic() - started
    assert "Tomato, Late blight: 93%" in ended.stdout, ended.stderr
    assert seconds < SECONDS
    packages = await asyncio.to_thread(run, python, "-m", "pip", "list", "--format=freeze")
    names = {line.partition("==")[0] for line in packages.stdout.split()}
    assert "httpx2" in names
    assert names.isdisjoint({"h2", "pillow", "numpy", "onnxruntime"})
