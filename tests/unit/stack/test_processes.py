"""The processes of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack import leftovers, processes
from stack.paths import StatePaths


@pytest.fixture
def paths(tmp_path: Path) -> StatePaths:
    return StatePaths(tmp_path)


@pytest.fixture
def marked(paths: StatePaths) -> Iterator[subprocess.Popen[bytes]]:
    """A process as the supervisor starts them, with a name that is hard to read."""
    code = "import subprocess, sys; subprocess.run(['sleep', '60'])"
    with subprocess.Popen([sys.executable, "-c", code], env={**os.environ, **leftovers.mark(paths)}) as process:
        while len(processes.family(process.pid)) < 2:
            time.sleep(0.01)
        yield process
        process.kill()


def test_marked_processes_and_their_children_are_found_and_ended(
    paths: StatePaths, marked: subprocess.Popen[bytes]
) -> None:
    family = {process.pid for process in processes.family(marked.pid)}
    assert {process.pid for process in leftovers.find(paths)} == family
    assert {process.pid for process in leftovers.end(paths)} == family
    assert not leftovers.find(paths)


def test_processes_of_another_state_folder_are_left_alone(paths: StatePaths, marked: subprocess.Popen[bytes]) -> None:
    assert leftovers.end(StatePaths(paths.root / "other")) == []
    assert leftovers.end(StatePaths(paths.root.parent)) == []
    assert marked.poll() is None


def test_only_our_own_shared_memory_is_swept(paths: StatePaths) -> None:
    ours = Path("/dev/shm") / f"{paths.shared_memory_prefix}region"
    others = Path("/dev/shm") / f"{StatePaths(paths.root / 'other').shared_memory_prefix}region"
    ours.touch()
    others.touch()
    try:
        leftovers.end(paths)
        assert (ours.exists(), others.exists()) == (False, True)
    finally:
        others.unlink()


def test_a_process_knows_its_parent_and_its_memory() -> None:
    found = processes.find(os.getpid())
    assert found is not None
    assert found.parent == os.getppid()
    assert processes.memory_bytes(os.getpid()) > 1_000_000


def test_a_process_that_is_gone_has_nothing() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert processes.find(gone.pid) is None
    assert not processes.is_alive(gone.pid)
    assert processes.memory_bytes(gone.pid) == 0
    assert processes.environment(gone.pid) == {b""}
    assert processes.working_folder(gone.pid) is None


def test_a_zombie_is_not_alive() -> None:
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not processes.is_alive(child.pid)
