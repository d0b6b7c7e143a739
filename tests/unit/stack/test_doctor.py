"""What `frond doctor` finds."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from stack import doctor, lock, resources
from stack.finding import Finding
from stack.paths import StatePaths
from stack.ports import LOOPBACK
from stack.state import State, write_state


def test_every_finding_that_is_not_well_has_a_fix(tmp_path: Path) -> None:
    findings = list(doctor.examine(StatePaths(tmp_path), 0))
    assert len({finding.name for finding in findings}) == len(findings) >= 15
    assert all((finding.level == "ok") == (finding.fix == "") for finding in findings)


def test_a_machine_that_runs_these_tests_has_what_is_needed(tmp_path: Path) -> None:
    assert not [finding for finding in doctor.examine(StatePaths(tmp_path), 0) if finding.level == "missing"]


def test_a_package_that_is_too_new_is_missing_with_its_limit() -> None:
    finding = doctor.package("numpy", below=(1, 0))
    assert finding.level == "missing"
    assert finding.fix.startswith("It must be below 1.0.")


def test_a_package_that_is_not_there_is_missing() -> None:
    assert doctor.package("no-such-package").found == "not installed"


def test_a_program_that_lacks_a_library_shows_its_last_words(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho cannot open shared object file >&2\nexit 127\n")
    broken.chmod(0o755)
    finding = doctor.program("broken", lambda: str(broken))
    assert (finding.level, finding.found) == ("missing", "cannot open shared object file")


def test_a_taken_port_is_a_warning_that_names_who_has_it(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        finding = gateways_port(StatePaths(tmp_path), port)
    assert finding.level == "warning"
    assert f"(process {os.getpid()})" in finding.found


def test_where_frond_runs_its_own_port_is_well_and_anothers_is_not(tmp_path: Path) -> None:
    paths = StatePaths(tmp_path)
    descriptor = lock.acquire(paths.lock)
    with (
        socket.create_server((LOOPBACK, 0)) as own,
        socket.create_server((LOOPBACK, 0)) as other,
        os.fdopen(descriptor),
    ):
        port, foreign = own.getsockname()[1], other.getsockname()[1]
        write_state(paths, State(1, f"http://{LOOPBACK}:{port}", "", "", "", "", ""))
        assert gateways_port(paths, None) == Finding("gateway's port", "ok", f"{port}, where Frond is running")
        assert gateways_port(paths, port).level == "ok"
        assert gateways_port(paths, foreign).level == "warning"


def test_any_port_is_well(tmp_path: Path) -> None:
    assert gateways_port(StatePaths(tmp_path), 0).found == "any that is free"


def gateways_port(paths: StatePaths, port: int | None) -> Finding:
    (finding,) = (f for f in resources.examine(paths, port) if f.name == "gateway's port")
    return finding


def test_a_state_folder_that_cannot_be_written_is_missing() -> None:
    (finding,) = (f for f in resources.examine(StatePaths(Path("/proc/frond")), 0) if f.name == "state folder")
    assert finding.level == "missing"
    assert "FROND_STATE_DIR" in finding.fix


@pytest.mark.parametrize(("limit", "used", "expected"), [("1000", "400", 600), ("1000", "2000", 0)])
def test_a_containers_limit_bounds_the_memory(tmp_path: Path, limit: str, used: str, expected: int) -> None:
    (tmp_path / "memory.max").write_text(limit + "\n")
    (tmp_path / "memory.current").write_text(used + "\n")
    assert resources.available_memory_bytes(tmp_path) == expected


def test_without_a_limit_the_machines_memory_counts(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    assert resources.available_memory_bytes(tmp_path) > 10_000_000
