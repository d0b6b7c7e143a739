"""PostgreSQL as a part of the stack: the cluster, our database in it with its migrations, and the gateway's login."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import asyncpg

from stack import postgres, processes
from stack.command import Command, log_tail
from stack.errors import StartError
from stack.part import Health, Part
from stack.paths import ROOT
from stack.ports import LOOPBACK

if TYPE_CHECKING:
    from pathlib import Path

    from stack.children import Children

DATABASE = "frond"
GATEWAY_LOGIN = "frond_gateway"
PYTHON_ENVIRONMENT = {"PYTHONPATH": f"{ROOT}:{ROOT / 'client' / 'src'}", "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}


class DatabasePart(Part):
    """Serves `database_url` when it is ready and complete."""

    name = "postgres"
    stop_signal = signal.SIGINT  # fast: ends the sessions, writes a checkpoint

    def __init__(self, folder: Path, port: int, log: Path, children: Children, gateway_password: str) -> None:
        self.address = f"{LOOPBACK}:{port}"
        self._port = port
        self._folder = folder
        self._log = log
        self._children = children
        self._gateway_password = gateway_password
        self._cluster: postgres.Cluster | None = None

    @property
    def cluster(self) -> postgres.Cluster:
        if self._cluster is None:
            self._cluster = postgres.prepare(self._folder)
        return self._cluster

    @property
    def database_url(self) -> str:
        """The gateway's own login."""
        return f"postgresql://{GATEWAY_LOGIN}:{self._gateway_password}@{self.address}/{DATABASE}"

    def prepare(self) -> None:
        remove_stale_process_id(self.cluster.data)

    def command(self) -> Command:
        return postgres.serve_command(self.cluster, self._port)

    async def look(self) -> Health:
        if await postgres.answers(self.cluster.url(self._port, "postgres")):
            return Health.ready()
        return Health.silent("does not accept connections")

    async def complete(self) -> None:
        """Make the database, bring its schema up to date, and give the gateway's login its password."""
        await self._execute("postgres", f"CREATE DATABASE {DATABASE}", asyncpg.DuplicateDatabaseError)
        owner_url = self.cluster.url(self._port, DATABASE)
        environment = {**PYTHON_ENVIRONMENT, "FROND_MIGRATION_DATABASE_URL": owner_url}
        migrate = Command((sys.executable, "-m", "gateway.migrate"), environment)
        status = await self._children.run(migrate, self._log)
        if status != 0:
            raise StartError(f"The database's migrations failed. The end of {self._log}:\n{log_tail(self._log)}")
        # Base64's URL-safe letters need no quoting in SQL.
        await self._execute(DATABASE, f"ALTER ROLE {GATEWAY_LOGIN} LOGIN PASSWORD '{self._gateway_password}'")

    async def _execute(self, database: str, statement: str, *harmless: type[Exception]) -> None:
        connection = await asyncpg.connect(self.cluster.url(self._port, database), timeout=5)
        try:
            await connection.execute(statement, timeout=30)
        except harmless:
            pass
        finally:
            await connection.close(timeout=5)


def remove_stale_process_id(data: Path) -> None:
    """Remove `postmaster.pid` where its number belongs to another program by now, as after a reboot, or to a zombie;
    and an empty one, as after a power cut.

    PostgreSQL would refuse to start. Where the number belongs to nobody it cleans up itself, and checks for backends
    that are still attached to the old shared memory; so that case is left to it.
    """
    file = data / "postmaster.pid"
    try:
        words = file.read_text().split()
    except (FileNotFoundError, PermissionError):  # none; or a root that has lost the rights of one
        return
    process = processes.find(int(words[0])) if words and words[0].isdigit() else None
    if not words or (process is not None and (process.name != "postgres" or process.is_zombie)):
        file.unlink()
