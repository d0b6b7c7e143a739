"""A program that a test starts, kills, stops and starts again at the same address."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
import pytest

from stack import processes
from stack.command import Command, log_tail, start, stop

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

READY_SECONDS = 90  # for a machine that is busy with something else


def nothing() -> None:
    pass


@dataclass
class Server:
    """A program at a fixed address, with all its descendants."""

    name: str
    command: Command
    log: Path
    is_ready: Callable[[], Awaitable[bool]]
    before_start: Callable[[], object] = nothing
    stop_signal: signal.Signals = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = None

    @property
    def process_id(self) -> int:
        assert self.process is not None
        return self.process.pid

    def process_ids(self) -> list[int]:
        return [process.pid for process in processes.family(self.process_id)]

    async def start(self) -> None:
        """Returns when it is ready."""
        self.before_start()
        self.process = start(self.command, self.log)
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not await self.is_ready():
                    if self.process.poll() is not None:
                        pytest.fail(f"{self.name} ended with {self.process.returncode}:\n{log_tail(self.log)}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pytest.fail(f"{self.name} is not ready in {READY_SECONDS} s:\n{log_tail(self.log)}")

    def send(self, number: signal.Signals) -> None:
        """To it and all its descendants, which need not be in its process group."""
        for process_id in self.process_ids():
            with suppress(ProcessLookupError):
                os.kill(process_id, number)

    async def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self.send(signal.SIGKILL)
        assert self.process is not None
        await asyncio.to_thread(self.process.wait)

    async def stop(self) -> None:
        if self.process is not None:
            self.send(signal.SIGCONT)
            await asyncio.to_thread(stop, self.process, self.stop_signal, 15)


@asynccontextmanager
async def running(*servers: Server) -> AsyncIterator[None]:
    """Started at the same time, stopped for sure."""
    try:
        await asyncio.gather(*(server.start() for server in servers))
        yield
    finally:
        await asyncio.gather(*(server.stop() for server in servers))


async def is_ok(url: str) -> bool:
    try:
        async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=5) as client:
            return (await client.get(url)).status_code == httpx2.codes.OK
    except httpx2.HTTPError:
        return False
