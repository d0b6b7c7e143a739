"""A running stack whose parts are killed."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import asyncpg
import httpx2
import pytest

from stack import processes
from tests.integration.stack.conftest import Stack, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

RECOVERY_SECONDS = 10.0  # what issue and README promise for tritonserver
BUSY_MACHINE_SECONDS = 30.0


@pytest.fixture(scope="module")
def running(stack: Stack) -> Iterator[Stack]:
    """Started once for this module; every test leaves it ready."""
    stack.up()
    yield stack
    stack.frond("down")


def kill(stack: Stack, pid: int, part: str) -> float:
    """SIGKILL; returns the seconds until that part has been started again and everything is ready."""
    restarts = stack.part(part).restarts
    os.kill(pid, signal.SIGKILL)
    return eventually(lambda: stack.part(part).restarts > restarts and stack.is_ready(), BUSY_MACHINE_SECONDS)


def test_all_parts_are_ready_when_up_returns(running: Stack) -> None:
    report = running.report()
    assert report["state"] == "ready"
    assert {part["name"]: part["state"] for part in report["parts"]} == {
        "postgres": "ready",
        "triton": "ready",
        "gateway": "ready",
        "supervisor": "ready",
    }
    assert httpx2.get(f"{running.state().gateway_url}/health/ready", trust_env=False).status_code == httpx2.codes.OK


def test_the_idle_stack_needs_less_than_1200_megabytes(running: Stack) -> None:
    assert 50e6 < running.report()["memoryBytes"] < 1.2e9


def test_a_second_up_says_that_one_is_running(running: Stack) -> None:
    second = running.frond("up", "--port", "0")
    assert second.returncode == 1
    assert second.stderr.startswith("Frond is already running here (process ")
    assert second.stderr.count("\n") == 1


def test_another_stack_on_its_port_is_told_who_has_it(running: Stack, tmp_path_factory: pytest.TempPathFactory) -> None:
    port = running.state().gateway_url.rpartition(":")[2]
    other = {**running.env, "FROND_STATE_DIR": str(tmp_path_factory.mktemp("other")), "FROND_PORT": port}
    refused = Stack(running.paths, other).frond("up")
    assert refused.returncode == 2
    assert f"Port {port} is taken by" in refused.stderr
    assert f"(process {running.pid('gateway')})" in refused.stderr


def test_serving_is_back_within_ten_seconds_of_a_killed_tritonserver(running: Stack) -> None:
    gateway = running.pid("gateway")
    stubs = [stub.pid for stub in running.stubs()]
    assert kill(running, running.pid("triton"), "triton") < RECOVERY_SECONDS
    assert running.pid("gateway") == gateway
    assert not any(processes.is_alive(stub) for stub in stubs)


def test_a_killed_python_process_of_a_model_brings_a_new_triton(running: Stack) -> None:
    killed = running.stubs()[0].pid
    kill(running, killed, "triton")
    assert killed not in {stub.pid for stub in running.stubs()}
    assert not any(stub.is_zombie for stub in running.stubs())


async def test_a_killed_postgres_keeps_what_was_committed(running: Stack) -> None:
    connection = await asyncpg.connect(running.owner_url())
    await connection.execute("CREATE TABLE witness AS SELECT 42 AS answer")
    kill(running, running.pid("postgres"), "postgres")
    await connection.close(timeout=1)
    connection = await asyncpg.connect(running.owner_url())
    assert await connection.fetchval("SELECT answer FROM witness") == 42
    await connection.execute("DROP TABLE witness")
    await connection.close()


def test_a_killed_gateway_is_started_again(running: Stack) -> None:
    killed = running.pid("gateway")
    kill(running, killed, "gateway")
    assert running.pid("gateway") != killed


def test_no_zombie_is_left_of_all_that_was_killed(running: Stack) -> None:
    assert not [child for child in processes.children(running.state().supervisor_pid) if child.is_zombie]
