"""The report of a load test: one page that needs nothing else, JSON, and the terminal."""

from __future__ import annotations

import importlib.util
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.loadtest.runs import run, sample

if TYPE_CHECKING:
    from loadtest.asking.answer import Sample

if importlib.util.find_spec("matplotlib") is None:
    pytest.skip("matplotlib is not installed; `make .venv/loadtest` does it", allow_module_level=True)

from loadtest.report.objectives import Verdict
from loadtest.report.page import html
from loadtest.report.series import plots, windows
from loadtest.report.writing import as_json, tell, write


def some() -> list[Sample]:
    good = [sample(at / 10, kind=kind) for at in range(100) for kind in ("multipart", "grpc")]
    return [*good, sample(5, code="overloaded"), sample(6, is_duplicate=True)]


def test_the_page_needs_no_other_file_and_says_the_verdict(tmp_path: Path) -> None:
    write(run(some()), tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "The objectives do not hold." in page
    assert page.count("data:image/svg+xml;base64,") == 4
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "Of the &lt;tests&gt;." in page


def test_the_json_has_figures_errors_and_lines_over_time() -> None:
    content = json.loads(json.dumps(as_json(run(some())), allow_nan=False))
    assert content["holds"] is False
    assert content["requests"]["all"]["errors"] == {"overloaded": 1}
    assert content["requests"]["grpc"]["answersPerSecond"] == 10
    assert content["requests"]["multipart, second sending"]["requests"] == 1
    assert content["requests"]["all"]["p50"] == pytest.approx(0.1)
    (line,) = content["overTime"]["Errors by code"]["lines"]
    assert (line["name"], sum(line["values"])) == ("overloaded", 1)


def test_a_second_without_an_answer_has_no_latency_rather_than_none_at_all() -> None:
    content = as_json(run([sample(0), sample(5)]))
    p50 = content["overTime"]["Latency"]["lines"][0]["values"]
    assert p50[0] == pytest.approx(0.1)
    assert p50[2] is None


def test_requests_count_in_the_window_in_which_they_are_answered() -> None:
    started_at = sample().at
    cut = windows([sample(0.5, 0.1), sample(0.5, 2.0)], started_at, 1.0)
    assert [len(window) for window in cut] == [1, 0, 1]


def test_a_number_that_json_has_none_for_is_null() -> None:
    findings = {"steps": [{"p95": math.nan}], "high": math.inf, "users": 3}
    content = as_json(run([sample()], findings=findings))
    assert content["findings"] == {"steps": [{"p95": None}], "high": None, "users": 3}


def test_a_run_without_requests_is_reported_too() -> None:
    assert "The objectives do not hold." in html(run([]))
    assert plots(run([]))[2].note == "none"


def test_a_run_that_was_cut_short_has_no_verdict() -> None:
    short = run([sample()], seconds=5.0, is_cut_short=True)
    assert short.exit_status == 130
    assert {verdict.holds for verdict in short.all_verdicts()} == {None}
    content = as_json(short)
    assert (content["cutShort"], content["holds"]) == (True, False)
    assert "Cut short after 5 s: no verdict." in html(short)
    assert "✓ holds" not in html(short)


def test_what_is_not_known_is_neither_good_nor_bad(capsys: pytest.CaptureFixture[str]) -> None:
    some_known = run([sample()], verdicts=[Verdict("connections", "≤ +2", "not known: 3", holds=None)])
    assert some_known.exit_status == 0
    assert '<td class="soft">– not known</td>' in html(some_known)
    tell(some_known, Path("out"))
    assert "The objectives hold as far as is known. Not known: connections." in capsys.readouterr().out


def test_who_is_judged_is_said_where_it_is_not_everybody(capsys: pytest.CaptureFixture[str]) -> None:
    noisy = run([sample()], judged=[sample()], judged_are="all users but the noisy one")
    tell(noisy, Path("out"))
    assert "Judged: all users but the noisy one." in capsys.readouterr().out
    assert "Judged: all users but the noisy one." in html(noisy)


def test_the_terminal_hears_each_objective(capsys: pytest.CaptureFixture[str]) -> None:
    tell(run([sample()]), Path("out"))
    said = capsys.readouterr().out
    assert re.search(r"p95 ≤ 5 s +100 ms +holds", said)
    assert "The objectives hold. out/report.html" in said
