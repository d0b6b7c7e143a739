"""`frond capacity`: an answer that says what it rests on, and errors in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.capacity.measured import SHIPPED

ROOT = Path(__file__).parents[3]
BENCH = {
    "provider": "tensorrt",
    "networks": {"efficientnet-lite0": {"triton": {"tensor": {"1": {"rate": 400.0}, "64": {"rate": 2500.0}}}}},
}


def capacity(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli.app", "capacity", *options]
    environment = {**os.environ, "COLUMNS": "140"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)


def as_json(*options: str) -> dict[str, Any]:
    ended = capacity(*options, "--json")
    assert ended.returncode == 0, ended.stderr
    content: dict[str, Any] = json.loads(ended.stdout)
    return content


def test_the_question_of_the_documentation_is_answered() -> None:
    ended = capacity("--rate", "200", "--megapixels", "12", "--p95", "5")
    assert ended.returncode == 0, ended.stderr
    for part in ("gateway processes", "Triton servers of 2 cores", "database: rows", "network", "predicted: p50"):
        assert part in ended.stdout
    assert "No GPU is assumed" in ended.stdout


def test_a_gpu_is_never_invented() -> None:
    found = as_json("--rate", "200")
    assert "GPUs" not in found["needed"]
    given = as_json("--rate", "200", "--gpu-requests-per-second", "900")["needed"]["GPUs"]
    assert given["basis"] == "given: 900 photos/s each"
    assert given["needed"] == 1


def test_a_gpus_figure_may_come_from_its_benchmark(tmp_path: Path) -> None:
    bench = tmp_path / "gpu.json"
    bench.write_text(json.dumps(BENCH))
    assert as_json("--rate", "200", "--gpu-bench", str(bench))["needed"]["GPUs"]["basis"] == "given: 2500 photos/s each"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"provider": "cpu"}, "says nothing of a GPU"),
        ({"networks": {}}, "holds no figures of efficientnet-lite0"),
    ],
)
def test_a_benchmark_that_says_nothing_of_a_gpu_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    bench = tmp_path / "gpu.json"
    bench.write_text(json.dumps({**BENCH, **change}))
    ended = capacity("--rate", "200", "--gpu-bench", str(bench))
    assert ended.returncode == 1
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--network", "resnet50"), "--network says which one of the file that --gpu-bench names"),
        (("--daily", "20000000"), "--daily is more than --rate brings in 24 hours: 17,280,000"),
        (("--daily", "inf"), "--daily is more than"),
        (("--gpu-requests-per-second", "inf"), "less than or equal to 1000000"),
    ],
)
def test_what_contradicts_itself_or_has_no_end_is_refused(options: tuple[str, ...], message: str) -> None:
    ended = capacity("--rate", "200", *options)
    assert ended.returncode == 2
    assert message in ended.stderr


def test_a_file_without_an_end_is_not_read_to_its_end() -> None:
    ended = capacity("--rate", "200", "--measured", "/dev/zero")
    assert ended.returncode == 1
    assert "/dev/zero is no measurement" in ended.stderr


@pytest.mark.parametrize("nonsense", [1e308, "NaN"])
def test_a_measurement_that_cannot_be_is_refused(tmp_path: Path, nonsense: float | str) -> None:
    figures = json.loads(SHIPPED.read_text())
    figures["memory"]["gateway"] = float(nonsense)
    own = tmp_path / "own.json"
    own.write_text(json.dumps(figures))
    ended = capacity("--rate", "200", "--measured", str(own))
    assert ended.returncode == 1
    assert "is no measurement: memory.gateway" in ended.stderr


def test_ones_own_measurement_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    figures = json.loads(SHIPPED.read_text())
    figures["machine"] = "a slower machine"
    for request in figures["requests"]:
        request["cpuSeconds"]["decoding"] *= 10
        request["aloneSeconds"] += 0.9 * request["cpuSeconds"]["decoding"]
    own = tmp_path / "own.json"
    own.write_text(json.dumps(figures))
    shipped, measured = as_json("--rate", "200"), as_json("--rate", "200", "--measured", str(own))
    name = "Triton servers of 2 cores"
    assert measured["needed"][name]["needed"] > 3 * shipped["needed"][name]["needed"]
    assert measured["measuredOn"] == "a slower machine"


def test_a_file_that_is_no_measurement_is_refused_in_one_line(tmp_path: Path) -> None:
    own = tmp_path / "own.json"
    own.write_text('{"machine": "x"}')
    ended = capacity("--rate", "200", "--measured", str(own))
    assert ended.returncode == 1
    assert "is no measurement: cores: Field required" in ended.stderr


def test_a_target_that_cannot_be_had_is_an_error() -> None:
    ended = capacity("--rate", "10", "--p95", "0.001")
    assert ended.returncode == 1
    assert "95 % within 0.001 s cannot be had" in ended.stderr


def test_more_rows_or_pixels_than_were_measured_are_said() -> None:
    notes = " ".join(as_json("--rate", "2000", "--megapixels", "48")["notes"])
    assert "beyond what was measured" in notes
    assert "More rows than the 10 million" in notes
