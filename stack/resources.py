"""Room, memory, rights and ports that the local runtime needs of this machine."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stack import account, triton
from stack.finding import Finding, verdict
from stack.listeners import listener
from stack.ports import DEFAULT_PORT, is_free
from stack.state import read_state

if TYPE_CHECKING:
    from stack.paths import StatePaths

MEBIBYTE = 2**20
SHARED_MEMORY_BYTES = 256 * MEBIBYTE  # photos and tensors on their way between Triton and its Python processes
DISK_BYTES = 500 * MEBIBYTE
MEMORY_BYTES = 1200 * MEBIBYTE
CONTROL_GROUP = Path("/sys/fs/cgroup")


def examine(paths: StatePaths, port: int | None) -> Iterator[Finding]:
    """All of them. `port` None: the one that the gateway has while it runs here, else the usual one."""
    folder = nearest_existing(paths.root)
    yield _passage()
    yield _writable(folder)
    yield _room("disk", folder, DISK_BYTES, "Free some, or name another folder in FROND_STATE_DIR.")
    yield _room("shared memory", triton.SHARED_MEMORY, SHARED_MEMORY_BYTES, "In a container: --shm-size=1g.")
    yield _memory()
    yield _port(paths, port)


def nearest_existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(candidate for candidate in (folder, *folder.parents) if candidate.exists())


def available_memory_bytes(group: Path = CONTROL_GROUP) -> int:
    """What the kernel says is available, or what this container's limit leaves of it."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(lines["MemAvailable"].split()[0]) * 1024
    limit, used = group / "memory.max", group / "memory.current"
    if limit.exists() and (text := limit.read_text().strip()) != "max":
        available = min(available, max(0, int(text) - int(used.read_text())))
    return available


def _passage() -> Finding:
    """As root PostgreSQL runs as another user, who must get to the state folder."""
    name = "PostgreSQL's account"
    if os.geteuid() != 0:
        return _own_account(name)
    found = f"{account.UNPRIVILEGED_NAME}, as PostgreSQL refuses to be root"
    fix = (
        "This root has neither CAP_DAC_READ_SEARCH nor CAP_DAC_OVERRIDE to pass on: every folder above the state folder"
        " must be open to all (FROND_STATE_DIR=/var/tmp/frond), or run as an ordinary user."
    )
    return verdict(name, found, fix, is_well=account.passage_capability() is not None, otherwise="warning")


def _own_account(name: str) -> Finding:
    try:
        return Finding(name, "ok", f"your own, {pwd.getpwuid(os.geteuid()).pw_name}")
    except KeyError:
        fix = "Add one to /etc/passwd; PostgreSQL's initdb refuses users without a name."
        return Finding(name, "missing", f"user {os.geteuid()} has no name", fix)


def _writable(folder: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Finding("state folder", "ok", str(folder))
    except OSError as error:
        fix = "Name another folder in FROND_STATE_DIR."
        return Finding("state folder", "missing", f"{folder}: {error.strerror}", fix)


def _room(name: str, folder: Path, needed: int, fix: str) -> Finding:
    if not folder.exists():
        return Finding(name, "missing", f"{folder} does not exist", fix)
    free = shutil.disk_usage(folder).free
    found = f"{free // MEBIBYTE} MiB free in {folder}"
    return verdict(name, found, f"{needed // MEBIBYTE} MiB are needed. {fix}", is_well=free >= needed)


def _memory() -> Finding:
    available = available_memory_bytes()
    fix = f"The whole stack needs up to {MEMORY_BYTES // MEBIBYTE} MiB under load."
    found = f"{available // MEBIBYTE} MiB available"
    return verdict("memory", found, fix, is_well=available >= MEMORY_BYTES, otherwise="warning")


def _port(paths: StatePaths, wanted: int | None) -> Finding:
    name = "gateway's port"
    state = read_state(paths)
    own = urlsplit(state.gateway_url).port if state else None
    port = next(port for port in (wanted, own, DEFAULT_PORT) if port is not None)
    if port == own:
        return Finding(name, "ok", f"{port}, where Frond is running")
    if port == 0 or is_free(port):
        return Finding(name, "ok", f"{port} is free" if port else "any that is free")
    holder = listener(port)
    found = f"{port} is taken" + (f" by {holder.name} (process {holder.pid})" if holder else "")
    return Finding(name, "warning", found, "Name another: FROND_PORT, or `frond up --port`.")
