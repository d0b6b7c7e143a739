"""What the load tests' tools refuse, and that nothing is started before they do."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("locust") is None, reason="locust is not installed; `make .venv/loadtest` does it"
)


def refused(*arguments: str, **environment: str) -> str:
    """What it says on standard error; on standard output nothing: no stack was started, nor could be without PATH."""
    names = ("FROND_URL", "FROND_TOKEN", "FROND_TOKENS_FILE")
    clean = {name: value for name, value in os.environ.items() if name not in names}
    ended = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**clean, "PATH": "", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Traceback" not in ended.stderr
    return ended.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("scenarios", "steady", "--seconds", "0"), "--seconds: 0 is not above 0"),
        (("scenarios", "steady", "--seconds", "nan"), "--seconds: nan is not above 0"),
        (("scenarios", "steady", "--seconds", "inf"), "--seconds: inf is not above 0"),
        (("scenarios", "steady", "--users", "0"), "--users: 0 is no whole number above 0"),
        (("scenarios", "steady", "--processes", "abc"), "--processes: abc is no whole number above 0"),
        (("scenarios", "steady", "--frobnicate"), "python -m loadtest.scenarios: error: unrecognized arguments"),
        (("scenarios", "steady", "--kinds", "letters"), "no such kind: letters"),
        (("open_loop", "--rate", "0"), "python -m loadtest.open_loop: error: argument --rate: 0 is not above 0"),
        (("open_loop", "--rate", "9", "--duplicates", "2"), "--duplicates: 2 is no share from 0 to 0.5"),
        (("soak", "--minutes", "0"), "python -m loadtest.soak: error: argument --minutes: 0 is not above 0"),
        (("bench", "--seconds", "-1"), "--seconds: -1 is not above 0"),
    ],
)
def test_a_number_that_cannot_be_is_refused_before_anything_is_started(
    arguments: tuple[str, ...], message: str
) -> None:
    module, *rest = arguments
    assert message in refused(f"loadtest.{module}", *rest)


def test_a_report_that_could_not_be_written_is_refused_before_it_is_measured(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.touch()
    assert "taken cannot be made: File exists" in refused("loadtest.open_loop", "--rate", "1", "--out", str(taken))


def test_a_worker_without_a_target_is_refused() -> None:
    assert "set FROND_URL" in refused("loadtest.scenarios", "steady", "--worker", "--master-host", "127.0.0.1")


@pytest.mark.parametrize("tool", [("loadtest.open_loop", "--rate", "1"), ("loadtest.scenarios", "steady")])
def test_a_gateway_elsewhere_without_a_token_is_refused(tool: tuple[str, ...], tmp_path: Path) -> None:
    said = refused(*tool, FROND_URL="http://127.0.0.1:9", FROND_STATE_DIR=str(tmp_path))
    assert said == "No token for http://127.0.0.1:9: give FROND_TOKEN or FROND_TOKENS_FILE.\n"


def test_a_file_without_tokens_and_an_address_that_is_none_are_refused() -> None:
    loop = ("loadtest.open_loop", "--rate", "1")
    assert "/dev/null holds no token." in refused(*loop, FROND_URL="http://127.0.0.1:9", FROND_TOKENS_FILE="/dev/null")
    assert "FROND_URL is foo" in refused(*loop, FROND_URL="foo", FROND_TOKEN="x")
