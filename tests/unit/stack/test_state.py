"""What the supervisor tells others in files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack import lock
from stack.errors import StackError
from stack.paths import StatePaths
from stack.state import PartStatus, State, Status, read_state, read_status, write_state, write_status

STATE = State(1, "http://127.0.0.1:1", "127.0.0.1:5", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4", "postgresql://…")
STATUS = Status(1, 2.0, was_ready=True, parts=(PartStatus("triton", "127.0.0.1:2", "ready", 7, 3, 4.0, 5.0, "note"),))


@pytest.fixture
def paths(tmp_path: Path) -> StatePaths:
    return StatePaths(tmp_path)


@pytest.fixture
def running(paths: StatePaths) -> Iterator[StatePaths]:
    """A state folder whose supervisor lives."""
    descriptor = lock.acquire(paths.lock)
    yield paths
    os.close(descriptor)


def test_what_is_written_is_read(running: StatePaths) -> None:
    write_state(running, STATE)
    write_status(running, STATUS)
    assert read_state(running) == STATE
    assert read_status(running) == STATUS


def test_addresses_hold_a_password_and_are_for_the_owner_alone(running: StatePaths) -> None:
    write_state(running, STATE)
    assert running.state.stat().st_mode & 0o777 == 0o600


def test_files_of_a_supervisor_that_is_gone_count_for_nothing(paths: StatePaths) -> None:
    write_state(paths, STATE)
    write_status(paths, STATUS)
    assert read_state(paths) is None
    assert read_status(paths) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"supervisor_pid": 1}', b'{"parts": [{}]}', b"\xff\xfe"])
def test_a_damaged_file_is_named(running: StatePaths, content: bytes) -> None:
    running.state.write_bytes(content)
    running.status.write_bytes(content)
    with pytest.raises(StackError, match=r"state\.json is damaged"):
        read_state(running)
    with pytest.raises(StackError, match=r"status\.json is damaged"):
        read_status(running)


@pytest.mark.parametrize(
    ("states", "was_ready", "expected"),
    [
        (["ready", "ready"], True, "ready"),
        (["ready", "starting"], False, "starting"),
        (["ready", "waiting"], False, "starting"),
        (["ready", "restarting"], True, "degraded"),
        (["unready", "ready"], True, "degraded"),
        (["ready", "stopping"], True, "stopping"),
        (["stopped", "restarting"], True, "stopping"),
    ],
)
def test_the_state_of_the_whole_follows_from_its_parts(states: list[str], was_ready: bool, expected: str) -> None:
    parts = tuple(PartStatus(str(number), "", state) for number, state in enumerate(states))  # type: ignore[arg-type]
    assert Status(1, 0.0, was_ready, parts).state == expected


def test_the_state_folder_is_the_one_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FROND_STATE_DIR", str(tmp_path / "a" / ".." / "b"))
    assert StatePaths.default().root == tmp_path / "b"


def test_two_state_folders_have_different_shared_memory(tmp_path: Path) -> None:
    assert StatePaths(tmp_path / "a").shared_memory_prefix != StatePaths(tmp_path / "b").shared_memory_prefix
