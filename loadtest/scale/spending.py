"""CPU time and memory by kind of process, from /proc: a figure that repeats where a rate does not."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stack import processes

if TYPE_CHECKING:
    from collections.abc import Iterable

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
CLIENT, GATEWAY, DATABASE, TRITON, DECODING, CLASSIFIER = (
    "client", "gateway", "database", "triton", "decoding", "classifier",
)  # fmt: skip
KINDS = (GATEWAY, DATABASE, TRITON, DECODING, CLASSIFIER)  # a server's
STUB = "triton_python_backend_stub"


@dataclass(frozen=True, slots=True)
class Member:
    """A process of the measured system."""

    pid: int
    kind: str


def members(stack_pid: int) -> list[Member]:
    """The stack's processes, and this one with what it started."""
    family = {process.pid: process.name for root in (stack_pid, os.getpid()) for process in processes.family(root)}
    return [Member(pid, kind) for pid, name in family.items() if (kind := kind_of(pid, name))]


def kind_of(pid: int, name: str) -> str | None:
    """None: a supervisor or something else that has no part in a request."""
    command = processes.command_line(pid)
    if command[0].endswith(STUB):
        return DECODING if "/diagnose/" in command[1] else CLASSIFIER
    if command[1:3] == ["-m", "gateway"]:
        return GATEWAY
    if pid == os.getpid():
        return CLIENT
    return {"tritonserver": TRITON, "postgres": DATABASE}.get(name)


def cpu_seconds(stack_pid: int) -> dict[str, float]:
    """Spent so far by each kind; what ended meanwhile is in its parent's account."""
    spent: dict[str, float] = defaultdict(float)
    for member in members(stack_pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            line = (processes.PROC / str(member.pid) / "stat").read_text()
            # proc_pid_stat(5): fields 14 to 17 are utime, stime, cutime and cstime; the name before may hold blanks.
            spent[member.kind] += sum(map(int, line.rpartition(")")[2].split()[11:15])) * TICK_SECONDS
    return spent


def memory_bytes(members: Iterable[Member]) -> dict[str, float]:
    """Of one process of each kind on average; of the database all together."""
    sizes: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for member in members:
        if member.kind in sizes:
            sizes[member.kind].append(processes.memory_bytes(member.pid))
    return {kind: sum(found) / (1 if kind == DATABASE else len(found)) for kind, found in sizes.items()}


def pin(members: Iterable[Member], cores: set[int], client_cores: set[int]) -> None:
    """All threads; those that they start later inherit it."""
    for member in members:
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            for task in (processes.PROC / str(member.pid) / "task").iterdir():
                os.sched_setaffinity(int(task.name), client_cores if member.kind == CLIENT else cores)
