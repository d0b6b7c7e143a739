"""What the stack holds of the machine: memory, files, connections, shared memory, and the processes themselves."""

from __future__ import annotations

import asyncio
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from stack import processes
from stack.state import read_status
from stack.triton import SHARED_MEMORY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stack.paths import StatePaths

STUB = "triton_python_b"  # the kernel's 15 letters of Triton's Python stub
CONNECTIONS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
BLOCK_BYTES = 512
# Of a relation that is there; one that is held open after its end has « (deleted)» behind its name, and counts.
RELATION = re.compile(r"/(base/\d+|global)/\d+(_[a-z]+)?(\.\d+)?$")
DATABASE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One look. `values`: by their names; `stubs`: process ids; `restarts`: of parts, as the supervisor counts them."""

    at: float
    values: Mapping[str, float]
    stubs: frozenset[int] = field(default_factory=frozenset)
    restarts: int = 0


def read(paths: StatePaths, at: float) -> Reading:
    """Of all processes of each part; bytes and numbers. What the database is asked is added by `connections`."""
    status = read_status(paths)
    values: dict[str, float] = {}
    stubs: set[int] = set()
    for part in status.parts if status else ():
        family = processes.family(part.process_id) if part.process_id else []
        values[f"memory of {part.name}"] = float(sum(private_bytes(each.pid) for each in family))
        values[f"open files of {part.name}"] = float(sum(open_files(each.pid) for each in family))
        stubs.update(each.pid for each in family if each.name == STUB)
    values["shared memory"] = float(shared_memory_bytes(paths))
    return Reading(at, values, frozenset(stubs), sum(part.restarts for part in status.parts) if status else 0)


def private_bytes(pid: int) -> int:
    """Its proportional share of memory without shared memory, which is counted for itself.

    PostgreSQL touches its shared buffers bit by bit up to their fixed size: growth, and no leak.
    """
    sizes = dict.fromkeys(("Pss", "Pss_Shmem"), 0)
    try:
        lines = (processes.PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:  # it has just ended
        return 0
    for line in lines:
        name, _, size = line.partition(":")
        if name in sizes:
            sizes[name] = int(size.split()[0]) * 1024
    return sizes["Pss"] - sizes["Pss_Shmem"]


def open_files(pid: int) -> int:
    """Files, sockets and pipes, without the database's tables and indexes.

    Each of PostgreSQL's processes keeps open what it has touched of those, up to all of them: growth, and no leak.
    """
    try:
        opened = [_target(link) for link in (processes.PROC / str(pid) / "fd").iterdir()]
    except OSError:
        return 0
    return sum(1 for target in opened if target and not RELATION.search(target))


def _target(link: Path) -> str | None:
    try:
        return str(link.readlink())
    except OSError:  # it has just been closed
        return None


def shared_memory_bytes(paths: StatePaths) -> int:
    """As far as it is really used: Triton's regions are larger on paper."""
    return sum(_used(region) for region in SHARED_MEMORY.glob(f"{paths.shared_memory_prefix}*"))


def _used(region: Path) -> int:
    try:
        return region.stat().st_blocks * BLOCK_BYTES
    except FileNotFoundError:
        return 0


async def connections(database_url: str) -> float:
    """How many the stack has to its database; NaN while that does not answer, which a soak must outlive."""
    try:
        async with asyncio.timeout(DATABASE_SECONDS):
            connection = await asyncpg.connect(database_url, ssl=False)
            try:
                return float(await connection.fetchval(CONNECTIONS))
            finally:
                await connection.close()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return math.nan
