"""A PostgreSQL of its own for the measurement, with the settings of a small server and Frond's real schema."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import asyncpg

from gateway.migrate import migrate, read_migrations
from stack import postgres
from stack.command import log_tail, start, stop
from stack.errors import StackError
from stack.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

DATABASE = "frond"
LOGIN, PASSWORD = "frond_gateway", "of-the-measurement"
READY_SECONDS, STOP_SECONDS = 60.0, 120.0

# Of a server with 4 GB of memory, by the usual rules; what is not named here keeps PostgreSQL's default.
SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "5min",
    "maintenance_work_mem": "256MB",
}
# A table that is only being filled can be filled again: nothing waits for the disk, and nobody vacuums meanwhile.
FILLING = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_wal_size": "4GB",
}


@dataclass(frozen=True, slots=True)
class Server:
    """`owner_url` may do everything; `gateway_url` is the gateway's own login."""

    owner_url: str
    gateway_url: str

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self.owner_url)
        try:
            yield connection
        finally:
            await connection.close()

    async def set_storage(self, settings: Sequence[str]) -> None:
        """NAME=VALUE each, of the table that is measured: for what is written from now on."""
        async with self.owner() as owner:
            for setting in settings:
                await owner.execute(f"alter table public.idempotency_keys set ({setting})")

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self.gateway_url, server_settings={"statement_timeout": "0"})
        try:
            yield connection
        finally:
            await connection.close()


@contextmanager
def running(folder: Path, *, filling: bool = False) -> Iterator[Server]:
    """Serve the cluster in `folder`, made and migrated at first; raises StackError with the end of the log."""
    cluster = postgres.prepare(folder)
    (port,) = free_ports(1)
    command = postgres.serve_command(cluster, port)
    settings = SETTINGS | FILLING if filling else SETTINGS
    command = replace(command, argv=(*command.argv, *(f"-c{name}={value}" for name, value in settings.items())))
    log = folder / "postgres.log"
    process = start(command, log)
    try:
        give_up_at = time.monotonic() + READY_SECONDS
        while not asyncio.run(postgres.answers(cluster.url(port, "postgres"))):
            if process.poll() is not None or time.monotonic() > give_up_at:
                raise StackError(f"PostgreSQL does not start:\n{log_tail(log)}")
            time.sleep(0.1)
        server = Server(cluster.url(port, DATABASE), cluster.url(port, DATABASE, LOGIN, PASSWORD))
        asyncio.run(_complete(cluster.url(port, "postgres"), server))
        yield server
    finally:
        stop(process, signal.SIGINT, STOP_SECONDS)


async def _complete(administration_url: str, server: Server) -> None:
    administration = await asyncpg.connect(administration_url)
    try:
        if not await administration.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE):
            await administration.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await administration.close()
    await migrate(server.owner_url, read_migrations())
    async with server.owner() as owner:
        await owner.execute(f"ALTER ROLE {LOGIN} PASSWORD '{PASSWORD}'")
        for extension in ("pgstattuple", "tsm_system_rows"):
            await owner.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
