"""The processes of this machine as `/proc` shows them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROC = Path("/proc")
ZOMBIE_STATES = frozenset("ZX")


@dataclass(frozen=True, slots=True)
class Process:
    """One process; `name` is the kernel's, at most 15 characters."""

    pid: int
    name: str
    state: str
    parent: int

    @property
    def is_zombie(self) -> bool:
        return self.state in ZOMBIE_STATES


def find(pid: int) -> Process | None:
    """The process of that number, if there is one."""
    try:
        line = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # "pid (name) state parent …", and the name may hold blanks and brackets.
    head, _, tail = line.rpartition(")")
    state, parent = tail.split()[:2]
    return Process(pid, head.partition("(")[2], state, int(parent))


def everyone() -> Iterator[Process]:
    """Every process that this one can see."""
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (process := find(int(entry.name))):
            yield process


def is_alive(pid: int) -> bool:
    """Whether there is such a process, another user's too; a zombie counts as dead."""
    process = find(pid)
    return process is not None and not process.is_zombie


def children(pid: int) -> list[Process]:
    return [process for process in everyone() if process.parent == pid]


def family(pid: int) -> list[Process]:
    """The process and all its descendants."""
    by_parent: dict[int, list[Process]] = {}
    for process in everyone():
        by_parent.setdefault(process.parent, []).append(process)
    start = find(pid)
    found = [start] if start else []
    for process in found:
        found.extend(by_parent.get(process.pid, []))
    return found


def command_line(pid: int) -> list[str]:
    """argv, or the title that the process gave itself; empty when it is gone or a zombie."""
    return _read(pid, "cmdline").decode(errors="replace").rstrip("\0").split("\0")


def environment(pid: int) -> frozenset[bytes]:
    """NAME=value pairs as the process was started; empty when it is gone or not ours to see."""
    return frozenset(_read(pid, "environ").split(b"\0"))


def working_folder(pid: int) -> Path | None:
    try:
        return (PROC / str(pid) / "cwd").readlink()
    except OSError:
        return None


def memory_bytes(pid: int) -> int:
    """Its proportional share of memory; where the kernel does not let us see that, its resident set."""
    for line in _read(pid, "smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    pages = _read(pid, "statm").split()
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if pages else 0


def _read(pid: int, name: str) -> bytes:
    try:
        return (PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""
