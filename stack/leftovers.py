"""What a killed supervisor can leave behind, found by marks that nobody else bears, and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

from stack.processes import Process, command_line, environment, everyone, is_alive, working_folder
from stack.triton import sweep_shared_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stack.paths import StatePaths

MARK = "FROND_SUPERVISED"  # in the environment of every part and so of all its children
# PostgreSQL's fast shutdown began when its parent died; a SIGKILL after that costs a recovery, no data.
PATIENCE_SECONDS = 5.0


def mark(paths: StatePaths) -> dict[str, str]:
    """The environment by which the processes of this state folder are known."""
    return {MARK: str(paths.root)}


def find(paths: StatePaths) -> list[Process]:
    """The live processes of this state folder, without ourselves."""
    marked = f"{MARK}={paths.root}".encode()
    return [
        process
        for process in everyone()
        if process.pid != os.getpid() and not process.is_zombie
        # PostgreSQL's processes write their titles over the environment.
        if marked in environment(process.pid) or _serves_database(process, paths)
    ]


def end(paths: StatePaths) -> list[Process]:
    """End them, PostgreSQL with a moment for its shutdown, and sweep the shared memory; returns what there was."""
    found = find(paths)
    servers = [process for process in found if _serves_database(process, paths)]
    _signal((process for process in found if process not in servers), signal.SIGKILL)
    _signal((process for process in servers if _is_postmaster(process, paths)), signal.SIGINT)
    _wait(lambda: not any(is_alive(process.pid) for process in servers))
    _wait(lambda: not _kill(find(paths)))
    sweep_shared_memory(paths.shared_memory_prefix)
    return found


def _serves_database(process: Process, paths: StatePaths) -> bool:
    if process.name != "postgres":
        return False
    data = paths.postgres / "data"
    return working_folder(process.pid) == data or _is_postmaster(process, paths)


def _is_postmaster(process: Process, paths: StatePaths) -> bool:
    argv = command_line(process.pid)
    return process.name == "postgres" and argv[1:3] == ["-D", str(paths.postgres / "data")]


def _signal(processes: Iterable[Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _kill(processes: list[Process]) -> list[Process]:
    _signal(processes, signal.SIGKILL)
    return processes


def _wait(is_over: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_over() and time.monotonic() < deadline:
        time.sleep(0.05)
