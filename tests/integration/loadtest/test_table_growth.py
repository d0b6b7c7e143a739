"""`python -m loadtest.table_growth` at its smallest: the real schema and the gateway's own statements."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROWS, EXPIRED = 10_000, 2_000


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    results = tmp_path_factory.mktemp("growth") / "results.json"
    options = ["--rows", str(ROWS), "--requests", "200", "--expired", str(EXPIRED), "--results", str(results)]
    command = [sys.executable, "-m", "loadtest.table_growth", *options]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=150)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.splitlines()[-1]) == json.loads(results.read_text())
    assert "| 10,000 |" in ended.stdout
    found: dict[str, dict[str, float]] = json.loads(results.read_text())[str(ROWS)]
    return found


def test_every_statement_of_a_request_is_timed(result: dict[str, dict[str, dict[str, float]]]) -> None:
    assert set(result["statements"]) == {"claim", "complete", "replay"}
    assert all(0 < times["p50"] <= times["p99"] for times in result["statements"].values())


def test_a_row_takes_the_room_that_an_answer_needs(result: dict[str, dict[str, float]]) -> None:
    """One to three photos: one to three kilobytes."""
    assert 1_000 < result["sizes"]["heap"] / ROWS < 3_000


def test_most_completions_stay_on_their_page(result: dict[str, float]) -> None:
    """So that they touch no index: the table's fillfactor leaves them room (decision 0024)."""
    assert result["completed_on_their_page"] > 0.8


def test_the_cleanup_deletes_all_that_has_expired(result: dict[str, dict[str, float]]) -> None:
    for cleanup in (result["cleanup"], result["cleanup_below_snapshot"]):
        assert cleanup["rows"] == EXPIRED
        assert cleanup["rows_per_second"] > 0
