"""The supervisor's children: those it started, and orphans of a part that died, which it ends and reaps."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
from typing import TYPE_CHECKING

from stack import processes
from stack.command import Command, start

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
POLL_SECONDS = 0.1


class Children:
    """Every process that is meant to be a child of this one."""

    def __init__(self, *expected: int) -> None:
        self._expected = set(expected)

    @staticmethod
    def adopt_orphans() -> None:
        """Become the parent of grandchildren whose parent died: Triton's stubs, PostgreSQL's backends."""
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")

    def start(self, command: Command, log: Path) -> subprocess.Popen[bytes]:
        process = start(command, log)
        self._expected.add(process.pid)
        return process

    async def run(self, command: Command, log: Path) -> int:
        """Run it to its end and return its exit status; cancelled, it takes the program along."""
        process = self.start(command, log)
        try:
            return await ended(process)
        finally:
            await self.end(process)

    async def stop(self, process: subprocess.Popen[bytes], first: signal.Signals, seconds: float) -> bool:
        """Ask with `first` and wait; returns whether it went by itself. Afterwards it is gone, and its children too."""
        if process.poll() is None:
            process.send_signal(first)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended(process), seconds)
        went = process.returncode is not None
        await self.end(process)
        return went

    async def end(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL, if it still runs, and then everything that it leaves behind."""
        if process.poll() is None:
            process.kill()
        await ended(process)
        self._expected.discard(process.pid)
        while orphans := self._orphans():
            for orphan in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan.pid, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(orphan.pid, os.WNOHANG)  # noqa: ASYNC222  (it does not block)
            await asyncio.sleep(0.02)

    def _orphans(self) -> list[processes.Process]:
        return [child for child in processes.children(os.getpid()) if child.pid not in self._expected]


async def ended(process: subprocess.Popen[bytes]) -> int:
    """Its exit status, when it has ended."""
    while process.poll() is None:  # noqa: ASYNC110  (asyncio's own subprocesses wait in threads, one each)
        await asyncio.sleep(POLL_SECONDS)
    return process.returncode
