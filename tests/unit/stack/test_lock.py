"""One supervisor a state folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stack import lock
from stack.errors import AlreadyRunningError
from stack.paths import ROOT

# Take the lock; with a second argument, let a forked child hold it and go. The end of the input is the end of either.
HOLDER = """
import os, pathlib, sys
from stack import lock
lock.acquire(pathlib.Path(sys.argv[1]))
if len(sys.argv) > 2 and os.fork():
    os._exit(0)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "supervisor.lock"


def test_a_lock_that_is_held_is_refused_with_its_holder(path: Path) -> None:
    descriptor = lock.acquire(path)
    assert lock.is_locked(path)
    with pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}"):
        lock.acquire(path)
    os.close(descriptor)
    assert not lock.is_locked(path)


def test_a_lock_without_a_file_is_free(path: Path) -> None:
    assert not lock.is_locked(path)


def test_the_lock_of_a_killed_process_is_free(path: Path) -> None:
    with holder(path) as process:
        assert lock.is_locked(path)
        assert lock.holder_pid(path) == process.pid
        process.send_signal(signal.SIGKILL)
    assert not lock.is_locked(path)
    os.close(lock.acquire(path))


def test_a_forked_child_holds_the_lock_after_its_parent_has_gone(path: Path) -> None:
    with holder(path, "forked") as process:
        process.wait()
        assert lock.is_locked(path)
        assert process.stdin is not None
        process.stdin.close()
        os.close(lock.acquire(path))  # waits for the child


def holder(path: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Another process that has taken the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process
