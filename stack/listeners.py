"""Who listens on a TCP port of this machine, as far as the kernel tells us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import processes
from stack.processes import PROC

if TYPE_CHECKING:
    from pathlib import Path

LISTENING = "0A"  # TCP_LISTEN in /proc/net/tcp


def listener(port: int) -> processes.Process | None:
    """The process that listens on the port; None when there is none, or when it is another user's."""
    wanted = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _inodes(PROC / "net" / table, port)}
    if not wanted:
        return None
    return next((process for process in processes.everyone() if wanted & _open_files(process.pid)), None)


def _inodes(table: Path, port: int) -> list[str]:
    """The sockets in that table which listen on the port."""
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return []
    # Columns: number, local address:port in hexadecimal, peer, state, queues, timer, retries, uid, timeout, inode.
    return [row[9] for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port]


def _open_files(pid: int) -> set[str]:
    folder = PROC / str(pid) / "fd"
    found = set()
    try:
        for link in folder.iterdir():
            found.add(str(link.readlink()))
    except OSError:  # gone, or not ours to see
        pass
    return found
