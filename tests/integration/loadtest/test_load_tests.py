"""The load tests as a user starts them, for some seconds each: on two cores with everything on them, so lightly."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stack.ports import free_ports
from tests.local_stack import LocalStack, local_stack

ROOT = Path(__file__).parents[3]
KINDS = {"multipart", "upload", "sdk", "grpc"}

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("locust") is None, reason="locust is not installed; `make .venv/loadtest` does it"
)


@dataclass(frozen=True)
class Target:
    """A stack for all tests here, and what names it to the load tests."""

    stack: LocalStack
    environment: dict[str, str]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    (port,) = free_ports(1)
    folder = tmp_path_factory.mktemp("load")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FROND_GRPC_PORT", str(port))
        with local_stack(folder) as stack:
            named = {"FROND_STATE_DIR": str(folder), "FROND_URL": stack.state()["gateway_url"]}
            yield Target(stack, {**named, "FROND_GRPC": f"127.0.0.1:{port}"})


def run(*arguments: str, out: Path, environment: dict[str, str] | None = None) -> tuple[dict[str, Any], str]:
    """Its report and what it printed; it must end with what the report says."""
    command = [sys.executable, "-m", *arguments, "--out", str(out)]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert (out / "report.json").exists(), ended.stdout + ended.stderr
    report: dict[str, Any] = json.loads((out / "report.json").read_text())
    assert ended.returncode == (0 if report["holds"] else 1), ended.stdout + ended.stderr
    assert (out / "report.html").read_text().startswith("<!doctype html>")
    return report, ended.stdout


def errors(report: dict[str, Any]) -> Any:
    return report["requests"]["all"]["errors"]


def test_two_workers_of_locust_ask_in_every_way_and_the_report_is_whole(target: Target, tmp_path: Path) -> None:
    scenario = ("loadtest.scenarios", "steady", "--users", "8", "--seconds", "4", "--processes", "2")
    report, said = run(*scenario, out=tmp_path, environment=target.environment)
    assert errors(report) == {}
    assert set(report["requests"]) == KINDS | {"all"}
    assert max(report["overTime"]["Users"]["lines"][0]["values"]) == 8
    assert "p95 ≤ 5 s" in said


def test_every_second_sending_gets_the_first_ones_bytes(target: Target, tmp_path: Path) -> None:
    scenario = ("loadtest.scenarios", "duplicates-50", "--users", "4", "--seconds", "4")
    report, _ = run(*scenario, out=tmp_path, environment=target.environment)
    (replays,) = (each for each in report["objectives"] if each["objective"].startswith("replays"))
    assert replays["holds"]
    sent, of = replays["measured"].split(" of ")
    assert sent == of
    assert int(sent) >= 4
    assert errors(report) == {}


def test_an_open_loop_sends_at_its_rate(target: Target, tmp_path: Path) -> None:
    loop = ("loadtest.open_loop", "--rate", "6", "--seconds", "4", "--arrivals", "constant", "--duplicates", "0")
    report, _ = run(*loop, "--photo", "256px", out=tmp_path, environment=target.environment)
    assert report["requests"]["all"]["requests"] in (23, 24)
    assert errors(report) == {}


@pytest.mark.parametrize("tool", [("open_loop", "--rate", "5"), ("scenarios", "steady", "--users", "4")])
def test_a_run_that_is_terminated_stops_its_stack_and_gives_no_verdict(tool: tuple[str, ...], tmp_path: Path) -> None:
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    temporary.mkdir(mode=0o755)
    tmp_path.chmod(0o755)  # PostgreSQL's user passes through
    module, *rest = tool
    command = [sys.executable, "-m", f"loadtest.{module}", *rest, "--seconds", "600", "--out", str(out)]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "TMPDIR": str(temporary)}, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout
        for line in running.stdout:
            if " for 600 s" in line:
                break
        started = processes_in(temporary)
        running.terminate()
        said = running.stdout.read()
    left = processes_in(temporary)
    for process_id in left:
        os.kill(process_id, signal.SIGKILL)
    assert running.returncode == 130, said
    assert "no verdict" in said
    assert json.loads((out / "report.json").read_text())["cutShort"] is True
    assert started
    assert left == []
    assert list(temporary.glob("frond-loadtest-*")) == []


def processes_in(folder: Path) -> list[int]:
    """Whose environment or arguments name it: the stack's, and locust's."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            named = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            if str(folder).encode() in named:
                found.append(int(process.name))
    return found


def test_a_short_soak_watches_what_the_stack_holds(tmp_path: Path) -> None:
    report, _ = run(
        "loadtest.soak", "--minutes", "0.12", "--rate", "5", "--look-seconds", "1", "--photo", "256px", out=tmp_path
    )
    watched = set(report["findings"]["trends"])
    assert {"memory of gateway", "memory of triton", "open files of gateway", "connections", "shared memory"} <= watched
    levels = {name: found["level"] for name, found in report["findings"]["trends"].items()}
    assert levels["memory of gateway"] > 20
    assert levels["open files of triton"] > 10
    assert levels["connections"] >= 1
    assert errors(report) == {}
    (survived,) = (each for each in report["objectives"] if each["objective"] == "processes")
    assert survived["measured"] == "0 Python stubs ended, 0 parts restarted"


def test_locust_alone_says_how_it_is_started() -> None:
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtest/users/locustfile.py"), "--headless"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode != 0
    assert "Start locust by `python -m loadtest.scenarios SCENARIO`." in ended.stdout + ended.stderr
