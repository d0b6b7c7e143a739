"""`python -m loadtest.scale` at its smallest: what it measures is what `frond capacity` reads."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from cli.capacity.measured import read
from loadtest import markdown
from loadtest.scale import spending
from loadtest.scale.parts import shapes

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scale")
    paths = ["--results", str(folder / "results.json"), "--out", str(folder / "measured.json")]
    command = [sys.executable, "-m", "loadtest.scale", "--seconds", "2", "--only", "requests", *paths]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=170)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.splitlines()[-1]) == json.loads((folder / "results.json").read_text())
    return folder


def test_a_request_costs_every_kind_of_process_something(folder: Path) -> None:
    (small, _, large) = measured = read(folder / "measured.json").requests
    for request in measured:
        spent = request.cpu_seconds.model_dump()
        assert set(spent) == set(spending.KINDS)
        assert spent["decoding"] > 0
        assert spent["classifier"] > 0
    assert large.cpu_seconds.decoding > small.cpu_seconds.decoding
    assert large.photo_bytes > small.photo_bytes


def test_its_figures_answer_the_question(folder: Path) -> None:
    command = [sys.executable, "-m", "cli.app", "capacity", "--rate", "200", "--p95", "30", "--json"]
    command += ["--measured", str(folder / "measured.json")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout)
    assert answer["needed"]["gateway processes"]["needed"] >= 1


def test_the_memory_of_each_kind_is_that_of_a_real_process(folder: Path) -> None:
    memory = read(folder / "measured.json").memory.model_dump()
    assert all(size > 5_000_000 for size in memory.values())


def test_each_shape_differs_from_the_first_in_one_thing() -> None:
    base, *others = (asdict(shape) for shape in shapes(2))
    for other in others:
        assert len(set(base.items()) - set(other.items())) == 1


def test_a_table_takes_its_marked_place_and_leaves_the_rest(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- a -->\nold\n<!-- /a -->\nafter\n")
    markdown.put(page, {"a": markdown.table(["x"], [["1"]])})
    assert page.read_text() == "before\n<!-- a -->\n| x |\n| --- |\n| 1 |\n<!-- /a -->\nafter\n"
    with pytest.raises(ValueError, match="no marks for b"):
        markdown.put(page, {"b": ""})
