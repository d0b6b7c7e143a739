"""The `frond` command over a state folder of the tests' own, with a look at the processes that it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stack import control, leftovers, postgres, processes, triton
from stack.paths import ROOT, StatePaths
from stack.state import PartStatus, State, read_state, read_status

DEADLINE_SECONDS = 60.0
DEEPER_THAN_A_SOCKET_PATH = "d" * 110  # 107 bytes is the limit of a Unix socket's path


@dataclass(frozen=True, slots=True)
class Stack:
    """One state folder, and `frond` on it."""

    paths: StatePaths
    env: Mapping[str, str]
    prefix: tuple[str, ...] = ()

    def frond(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        return subprocess.run(
            [*self.prefix, sys.executable, "-m", "cli.app", *arguments],
            env=dict(self.env),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )

    def up(self) -> State:
        """Start it in the background."""
        done = self.frond("up", "--detach", "--port", "0")
        assert done.returncode == 0, done.stderr + done.stdout
        return self.state()

    def foreground(self, **options: Any) -> subprocess.Popen[str]:
        """`frond up` as a child of the test; ready when it says so."""
        process = subprocess.Popen(
            [*self.prefix, sys.executable, "-m", "cli.app", "up", "--port", "0"],
            env=dict(self.env),
            cwd="/",
            text=True,
            **options,
        )
        eventually(lambda: process.poll() is not None or self.is_ready())
        assert process.poll() is None
        return process

    def state(self) -> State:
        state = read_state(self.paths)
        assert state is not None
        return state

    def is_ready(self) -> bool:
        status = read_status(self.paths)
        return status is not None and status.state == "ready" and self.paths.state.exists()

    def part(self, name: str) -> PartStatus:
        status = read_status(self.paths)
        assert status is not None
        return next(part for part in status.parts if part.name == name)

    def pid(self, name: str) -> int:
        process_id = self.part(name).process_id
        assert process_id is not None
        return process_id

    def stubs(self) -> list[processes.Process]:
        """Triton's Python processes."""
        return processes.children(self.pid("triton"))

    def guardian(self) -> processes.Process:
        """The supervisor's child that is no part."""
        status = read_status(self.paths)
        assert status is not None
        parts = {part.process_id for part in status.parts}
        (found,) = (child for child in processes.children(status.supervisor_pid) if child.pid not in parts)
        return found

    def remains(self) -> list[str]:
        """Everything of this state folder that is still there: processes, and regions in shared memory."""
        regions = triton.SHARED_MEMORY.glob(f"{self.paths.shared_memory_prefix}*")
        return [
            *(f"{process.pid} {process.name}" for process in leftovers.find(self.paths)),
            *(region.name for region in regions),
        ]

    def owner_url(self, database: str = "frond") -> str:
        """The database as its owner."""
        port = int(self.part("postgres").address.rpartition(":")[2])
        return postgres.prepare(self.paths.postgres).url(port, database)

    def report(self) -> dict[str, Any]:
        """`frond status --json`."""
        report: dict[str, Any] = json.loads(self.frond("status", "--json").stdout)
        return report


def eventually(is_so: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> float:
    """Wait until it is so, and return how long that took."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < seconds, f"not so after {seconds:g} s"
        time.sleep(0.05)
    return time.monotonic() - began


def make_stack(folder: Path, prefix: tuple[str, ...] = ()) -> Stack:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'client' / 'src'}",
        "FROND_STATE_DIR": str(folder / "state"),
    }
    return Stack(StatePaths((folder / "state").resolve()), env, prefix)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A state folder for one module's tests, below folders that only we may enter; whatever runs is ended after."""
    folder = tmp_path_factory.mktemp("stack") / DEEPER_THAN_A_SOCKET_PATH
    folder.mkdir(mode=0o700)
    stack = make_stack(folder)
    try:
        yield stack
    finally:
        control.stop(stack.paths)
        assert not stack.remains()
