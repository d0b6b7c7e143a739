"""Real servers for the tests, one of each a process: Triton over a copy of the model repository, and PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from stack import postgres as postgres_part
from stack import trees
from stack import triton as triton_part
from stack.command import Command, log_tail, start, stop
from stack.paths import ROOT
from stack.ports import free_ports

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from xdist.remote import Producer

# A slow example on a busy machine is no failure of the property.
settings.register_profile("frond", deadline=None)
settings.load_profile("frond")

# Tests of a file share servers, those of these folders what takes minutes to build: one process runs them all.
TOGETHER = ("tests/images/", "tests/cluster/")

READY_SECONDS = 90  # a model loads in 2 s; the deadline is for a machine that is busy with something else
SHARED_MEMORY_PREFIX = "frond-test-{process_id}-"


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Which tests one process runs when `make test` runs two."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((folder for folder in TOGETHER if file.startswith(folder)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    return ByFile(config, log)


@dataclass(frozen=True, slots=True)
class RunningTriton:
    """A tritonserver of this session."""

    addresses: triton_part.Addresses
    process_id: int
    model_repository: Path
    log: Path

    @property
    def grpc(self) -> str:
        return self.addresses.grpc

    @property
    def http(self) -> str:
        return self.addresses.http

    @property
    def metrics(self) -> str:
        return self.addresses.metrics


@dataclass(frozen=True, slots=True)
class RunningPostgres:
    """A PostgreSQL of this session."""

    cluster: postgres_part.Cluster
    port: int
    process_id: int
    log: Path

    def url(self, database: str = "postgres", user: str = postgres_part.OWNER, password: str | None = None) -> str:
        """The DSN for asyncpg; without a user, the owner's."""
        return self.cluster.url(self.port, database, user, password)


@contextmanager
def serving(
    command: Command, log: Path, first: signal.Signals, is_ready: Callable[[], bool]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start it, wait until it is ready, stop it for sure; when it does not get ready, fail with the end of its log.

    A pytest that is killed takes it along: the kernel's death signal is set on it.
    """
    process = start(command, log)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not is_ready():
            if process.poll() is not None:
                pytest.fail(f"{command.argv[0]} ended with {process.returncode}:\n{log_tail(log)}", pytrace=False)
            if time.monotonic() > deadline:
                pytest.fail(f"{command.argv[0]} not ready in {READY_SECONDS} s:\n{log_tail(log)}", pytrace=False)
            time.sleep(0.05)
        yield process
    finally:
        stop(process, first, seconds=15)


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    """tritonserver with every shipped model loaded. Do not change its `model_repository` without putting it back."""
    with running_triton(tmp_path_factory.mktemp("triton")) as running:
        yield running


@contextmanager
def running_triton(folder: Path) -> Iterator[RunningTriton]:
    """A tritonserver of a test's own, for those that harm it."""
    repository = folder / "model_repository"
    trees.copy(ROOT / "model_repository", repository)
    triton_part.prepare_backends(folder / "backends")
    sweep_regions_of_dead_sessions()
    addresses = triton_part.Addresses.pick()
    prefix = f"{SHARED_MEMORY_PREFIX.format(process_id=os.getpid())}{folder.name}-"
    command = triton_part.serve_command(repository, folder / "backends", addresses, prefix)
    models = [config.parent.name for config in repository.glob("*/config.pbtxt")]
    log = folder / "triton.log"
    try:
        with serving(command, log, signal.SIGTERM, lambda: models_are_ready(addresses.http, models)) as process:
            yield RunningTriton(addresses, process.pid, repository, log)
    finally:
        triton_part.sweep_shared_memory(prefix)


def models_are_ready(http: str, models: list[str]) -> bool:
    paths = ["health/ready", *(f"models/{model}/ready" for model in models)]
    try:
        with httpx2.Client(base_url=f"http://{http}/v2/", trust_env=False, timeout=2) as client:
            return all(client.get(path).status_code == httpx2.codes.OK for path in paths)
    except httpx2.HTTPError:
        return False


def sweep_regions_of_dead_sessions() -> None:
    """A killed pytest cannot sweep; the next one does, and leaves those of sessions that still run."""
    pattern = re.compile(SHARED_MEMORY_PREFIX.format(process_id=r"(\d+)"))
    for region in triton_part.SHARED_MEMORY.iterdir():
        found = pattern.match(region.name)
        if found and not Path(f"/proc/{found[1]}").exists():
            region.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPostgres]:
    """An empty PostgreSQL; make a database of your own in it."""
    folder = tmp_path_factory.mktemp("postgres")
    cluster = postgres_part.prepare(folder / "cluster")
    (port,) = free_ports(1)
    url = cluster.url(port, "postgres")
    command = postgres_part.serve_command(cluster, port)
    log = folder / "postgres.log"
    with serving(command, log, signal.SIGINT, lambda: asyncio.run(postgres_part.answers(url))) as process:
        yield RunningPostgres(cluster, port, process.pid, log)
