"""A pod, and what a kubelet does with it: start, probe, start again, and end it with time to go."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from stack import processes
from stack.command import Command, kill_group, log_tail, start
from tests.server_process import is_ok

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence
    from pathlib import Path

    from tests.cluster.names import Endpoints
    from tests.cluster.network import Sandbox
    from tests.cluster.workload import Probe, Workload

TICK_SECONDS = 0.05


class Pod:
    """One container in a sandbox. `command` is what it runs: the manifest's, or the image's."""

    def __init__(self, workload: Workload, sandbox: Sandbox, command: Command, log: Path, endpoints: Endpoints) -> None:
        self.name = log.stem
        self.restarts = 0
        self.is_ready = asyncio.Event()
        self._workload = workload
        self._sandbox = sandbox
        self._command = command
        self._log = log
        self._endpoints = endpoints
        self._process: subprocess.Popen[bytes] | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        return self._sandbox.address

    async def start(self) -> None:
        """Returns when it is ready; fails when the manifest's startup probe has failed too often."""
        self._keeping = asyncio.create_task(self._keep())
        becoming = asyncio.create_task(self.is_ready.wait())
        await asyncio.wait({self._keeping, becoming}, return_when=asyncio.FIRST_COMPLETED)
        becoming.cancel()
        if self._keeping.done():
            self._keeping.result()

    async def has_restarted(self) -> None:
        """Returns when it is ready again after `crash`."""
        while self.is_ready.is_set():  # noqa: ASYNC110  (until that is noticed)
            await asyncio.sleep(TICK_SECONDS)
        await self.is_ready.wait()

    def crash(self) -> None:
        """SIGKILL to everything in it, as when it takes too much memory."""
        assert self._process is not None
        for process in processes.family(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """As a deleted pod ends. Fails when it is not gone in time and has to be killed."""
        self._note(is_ready=False)
        await self._stop_keeping()
        assert self._process is not None
        try:
            async with asyncio.timeout(self._workload.grace_seconds):
                if self._workload.pre_stop:
                    await self._run(self._workload.pre_stop)
                self._process.terminate()
                await has_ended(self._process)
        except TimeoutError as error:
            raise AssertionError(f"{self.name} was killed after {self._workload.grace_seconds} s") from error
        finally:
            self.remove()

    async def drop(self) -> None:
        """At once."""
        await self._stop_keeping()
        self.remove()

    def remove(self) -> None:
        if self._process is not None:
            self.crash()
            kill_group(self._process)
            self._process.wait()
        self._sandbox.close()

    async def _stop_keeping(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    async def _keep(self) -> None:
        """Its container again and again; the pod keeps its address."""
        while True:
            self._process = start(self._sandbox.inside(self._command), self._log)
            async with asyncio.TaskGroup() as tasks:
                probing = tasks.create_task(self._probe(self._process))
                await has_ended(self._process)
                probing.cancel()
            if not self.is_ready.is_set():
                raise AssertionError(f"{self.name} ended before it was ready:\n{log_tail(self._log)}")
            self._note(is_ready=False)
            self.restarts += 1

    async def _probe(self, process: subprocess.Popen[bytes]) -> None:
        startup = self._workload.startup
        for _ in range(startup.failure_threshold):
            if await self._succeeds(startup):
                break
            await asyncio.sleep(startup.period_seconds)
        else:
            raise AssertionError(f"{self.name} does not start:\n{log_tail(self._log)}")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_readiness())
            tasks.create_task(self._watch_life(process))

    async def _watch_readiness(self) -> None:
        probe, failures = self._workload.readiness, 0
        while True:
            failures = 0 if await self._succeeds(probe) else failures + 1
            if failures == 0 or failures >= probe.failure_threshold:
                self._note(is_ready=failures == 0)
            await asyncio.sleep(probe.period_seconds)

    async def _watch_life(self, process: subprocess.Popen[bytes]) -> None:
        probe, failures = self._workload.liveness, 0
        while failures < probe.failure_threshold:
            failures = 0 if await self._succeeds(probe) else failures + 1
            await asyncio.sleep(probe.period_seconds)
        process.terminate()

    def _note(self, *, is_ready: bool) -> None:
        if is_ready != self.is_ready.is_set():
            self._endpoints.note(self.address, is_ready=is_ready)
        if is_ready:
            self.is_ready.set()
        else:
            self.is_ready.clear()

    async def _succeeds(self, probe: Probe) -> bool:
        try:
            async with asyncio.timeout(probe.timeout_seconds):
                if probe.command is not None:
                    return await self._run(probe.command) == 0
                return await is_ok(f"http://{self.address}:{probe.port}{probe.path}")
        except TimeoutError:
            return False

    async def _run(self, words: Sequence[str]) -> int:
        """A command in the container; its exit status."""
        command = self._sandbox.inside(Command(tuple(words), self._command.env))
        with self._log.open("ab") as log:
            # In a session of its own: the terminal's Ctrl-C is for us, who end it.
            running = await asyncio.create_subprocess_exec(
                *command.full_argv(), env=command.full_env(), stdout=log, stderr=log, start_new_session=True
            )
        try:
            return await running.wait()
        finally:
            if running.returncode is None:
                running.kill()
                await running.wait()


async def has_ended(process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:  # noqa: ASYNC110  (a thread that waits for each would be dear)
        await asyncio.sleep(TICK_SECONDS)
