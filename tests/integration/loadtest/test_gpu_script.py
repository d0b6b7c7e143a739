"""`python -m loadtest.gpu` without a GPU: all of it runs on the CPU's provider, and it says what it misses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.gpu import machine

ROOT = Path(__file__).parents[3]
SMALL = (
    *("--network", "efficientnet-lite0", "--photos", "256px"),
    *("--concurrency", "1,2", "--batch", "1,2", "--seconds", "1", "--clients", "1"),
)


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loadtest.gpu", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=150)


def test_on_the_cpu_everything_is_measured_and_agrees_with_the_cpu(tmp_path: Path) -> None:
    ended = run("--provider", "cpu", *SMALL, "--set", "diagnose.instances=1", "--out", str(tmp_path / "result.json"))
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout.splitlines()[-1])
    assert result == json.loads((tmp_path / "result.json").read_text())
    assert (result["provider"], result["settings"]) == ("cpu", {"diagnose.instances": "1"})
    network = result["networks"]["efficientnet-lite0"]
    assert all(found["holds"] and found["compared"] >= 24 for found in network["agreement"].values())
    assert list(network["bare"]["tensor"]) == ["1", "2"]
    served = network["triton"]["jpeg"]["256px"]["2"]
    assert served["rate"] > 0
    assert {"diagnose_queue_ms", "decode_ms", "infer_ms", "classifier_compute_ms"} <= served["stages"].keys()
    assert "| efficientnet-lite0 | 256px | diagnose | concurrency 2 |" in ended.stdout


@pytest.mark.skipif(machine.device() is not None, reason="this machine has a GPU")
def test_without_a_gpu_it_says_what_each_provider_misses() -> None:
    ended = run(*SMALL)
    assert ended.returncode == 2
    assert "No GPU can be used here" in ended.stderr
    assert "tensorrt: The configuration needs TensorrtExecutionProvider" in ended.stderr
    assert "cuda: The configuration needs CUDAExecutionProvider" in ended.stderr


@pytest.mark.skipif(machine.device() is not None, reason="this machine has a GPU")
def test_a_provider_that_was_asked_for_and_is_not_there_is_an_error() -> None:
    ended = run("--provider", "cuda", *SMALL)
    assert ended.returncode == 2
    assert "The configuration needs CUDAExecutionProvider" in ended.stderr


def test_a_setting_that_does_not_exist_is_refused() -> None:
    ended = run("--set", "classifier.speed=11")
    assert ended.returncode == 2
    assert "expected NAME=VALUE" in ended.stderr
