"""What the supervisor sees when it looks at Triton and at the gateway."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stack import processes
from stack.inference import TritonPart
from stack.model_repository import REGISTRY
from stack.paths import StatePaths
from stack.ports import LOOPBACK, free_ports
from stack.service import GatewayPart
from stack.triton import Addresses
from tests.conftest import running_triton

if TYPE_CHECKING:
    from tests.conftest import RunningTriton


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    """Not the session's: the last test harms it."""
    with running_triton(tmp_path_factory.mktemp("looking")) as running:
        yield running


@pytest.fixture
def paths(triton: RunningTriton) -> StatePaths:
    """The fixture's Triton as if it served from a state folder."""
    return StatePaths(triton.model_repository.parent)


async def test_a_triton_that_answers_a_photo_is_ready(triton: RunningTriton, paths: StatePaths) -> None:
    part = TritonPart(paths, triton.addresses)
    assert (await part.look()).is_ready
    assert part.defect(triton.process_id) == ""


async def test_an_active_release_that_is_not_loaded_is_named(triton: RunningTriton, tmp_path: Path) -> None:
    other = StatePaths(tmp_path)
    other.model_repository.mkdir()
    (other.model_repository / REGISTRY).write_text('{"active": "7", "releases": {"7": "classifier_7"}}')
    health = await TritonPart(other, triton.addresses).look()
    assert health.is_final
    assert health.note.startswith("model classifier_7 is not loaded: there is none\n")


async def test_a_triton_that_is_not_there_gives_no_sign_of_life(paths: StatePaths) -> None:
    health = await TritonPart(paths, Addresses.pick()).look()
    assert (health.is_ready, health.is_alive) == (False, False)


async def test_an_inference_that_never_comes_back_is_a_defect_until_the_next_start(paths: StatePaths) -> None:
    async with answering(200, "", never="/infer") as port:
        address = f"{LOOPBACK}:{port}"
        part = TritonPart(paths, Addresses(address, address, address), hang_seconds=0.3)
        assert not (await part.look()).is_alive
        assert part.defect(os.getpid()) == "did not finish a synthetic inference in 0.3 s"
        part.prepare()
        assert part.defect(os.getpid()) == ""


@asynccontextmanager
async def answering(status: int, body: str, never: str = " ") -> AsyncIterator[int]:
    """A server that answers every request so, but those to paths with `never` not at all; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if never in head.split()[1].decode():
            await reader.read()  # until the other side gives up
        else:
            length = f"Content-Length: {len(body)}"
            writer.write(f"HTTP/1.1 {status} x\r\n{length}\r\nConnection: close\r\n\r\n{body}".encode())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, LOOPBACK, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(("status", "is_ready", "note"), [(200, True, ""), (503, False, "triton: It is out.")])
async def test_a_gateway_is_as_ready_as_it_says(tmp_path: Path, status: int, is_ready: bool, note: str) -> None:
    parts = {"database": {"ready": True, "reason": None}, "triton": {"ready": status == 200, "reason": "It is out."}}
    async with answering(status, json.dumps({"parts": parts})) as port:
        health = await GatewayPart(StatePaths(tmp_path), port, 0, "postgresql://", "127.0.0.1:1").look()
    assert (health.is_ready, health.is_alive, health.note) == (is_ready, True, note)


async def test_a_gateway_that_is_not_there_gives_no_sign_of_life(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    health = await GatewayPart(StatePaths(tmp_path), port, 0, "postgresql://", "127.0.0.1:1").look()
    assert not health.is_alive


async def test_stopped_python_processes_count_as_no_sign_of_life(triton: RunningTriton, paths: StatePaths) -> None:
    for child in processes.children(triton.process_id):
        os.kill(child.pid, signal.SIGSTOP)
    assert not (await TritonPart(paths, triton.addresses).look()).is_alive
