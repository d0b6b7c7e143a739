"""`python -m loadtest.bench`, short: every server starts, answers rightly, is measured and ends."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from loadtest.bench import peers
from loadtest.bench.measurement import TARGETS
from stack.paths import ROOT


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loadtest.bench", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=170)


@pytest.mark.skipif(not peers.are_installed(), reason="no peers here: make .venv-peers/ready")
def test_every_target_gives_the_right_answer_and_gets_its_figure() -> None:
    ended = run("--sizes", "256px", "--seconds", "0.8", "--rounds", "1")
    assert ended.returncode == 0, ended.stderr
    *_, last = ended.stdout.splitlines()
    rates = json.loads(last)
    assert list(rates) == ["256px"]
    assert list(rates["256px"]) == list(TARGETS)
    assert all(rate > 0 for rate in rates["256px"].values())
    assert "every target answers Apple___Apple_scab" in ended.stderr


def test_a_target_or_size_that_does_not_exist_is_refused() -> None:
    assert "choose from limit, limit-readied, fastapi" in run("--targets", "fastapi,torchserve").stderr
    assert "choose from 256px" in run("--sizes", "3mp").stderr
