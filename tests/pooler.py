"""PgBouncer in transaction mode: in front of the tests' PostgreSQL, with few connections that everyone shares."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from stack.command import Command
from stack.ports import free_ports
from tests.conftest import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

# It refuses to run as root.
UNPRIVILEGED = ("--reuid=nobody", "--regid=nogroup", "--clear-groups") if os.geteuid() == 0 else ()
KEEPS_STATEMENTS_SINCE = (1, 21)
SETTINGS = """
[databases]
* = host=127.0.0.1 port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {users}
pool_mode = transaction
default_pool_size = {servers}
"""


@dataclass(frozen=True, slots=True)
class Pooler:
    """`url` leads to the same database as the same login; `servers` is how many connections there are behind it."""

    url: str
    servers: int
    keeps_statements: bool


def program() -> str:
    """FROND_PGBOUNCER names another one than the PATH's. Skips the test where there is none."""
    found = os.environ.get("FROND_PGBOUNCER") or shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip("pgbouncer is not installed (apt-get install pgbouncer)")
    return found


def version_of(pgbouncer: str) -> tuple[int, ...]:
    text = subprocess.run([pgbouncer, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", text)
    assert found is not None, text
    return int(found[1]), int(found[2])


@contextmanager
def running_pooler(database_url: str, servers: int) -> Iterator[Pooler]:
    pgbouncer, target = program(), urlsplit(database_url)
    keeps_statements = version_of(pgbouncer) >= KEEPS_STATEMENTS_SINCE
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="frond-pooler-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # for another account
        users, settings = folder / "users", folder / "pgbouncer.ini"
        users.write_text(f'"{target.username}" "{target.password}"\n')
        text = SETTINGS.format(server_port=target.port, port=port, users=users, servers=servers)
        settings.write_text(text + ("max_prepared_statements = 100\n" if keeps_statements else ""))
        command = Command((pgbouncer, str(settings)), privileges=UNPRIVILEGED)
        with serving(command, folder / "log", signal.SIGTERM, lambda: is_listening(port)):
            yield Pooler(database_url.replace(f":{target.port}/", f":{port}/"), servers, keeps_statements)


def is_listening(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
