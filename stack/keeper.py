"""Keeps one part alive: start, readiness, watch, and again with back-off when it broke."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stack.backoff import STEADY_SECONDS, delay_seconds
from stack.children import Children, ended
from stack.command import log_tail
from stack.errors import StackError, StartError
from stack.part import Health
from stack.state import PartStatus

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from stack.part import Part

LOOK_SECONDS = 2.0
START_LOOK_SECONDS = 0.1
DEFECT_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Keeper:
    """One part and its process. `start` must have succeeded before `keep`; `stop` may come at any time after."""

    def __init__(
        self, part: Part, log: Path, children: Children, mark: Mapping[str, str], on_change: Callable[[], None]
    ) -> None:
        self.part = part
        self.status = PartStatus(part.name, part.address)
        self._log = log
        self._children = children
        self._mark = mark
        self._on_change = on_change
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it for the first time; raises StartError with the end of its log when it does not become ready."""
        began = time.monotonic()
        problem = await self._launch()
        if problem:
            raise StartError(f"{self.part.name} {problem}. The end of {self._log}:\n{log_tail(self._log)}")
        await self.part.complete()
        self._became_ready(began)

    async def keep(self) -> None:
        """Watch it and start it again whenever it breaks, for ever."""
        failures, problem, ready_at = 0, "", time.monotonic()
        while True:
            if not problem:
                problem = await self._first_problem()
                failures = 0 if time.monotonic() - ready_at > STEADY_SECONDS else failures
            failures += 1
            wait = delay_seconds(failures)
            logger.warning("%s %s; starting it again in %.1f s", self.part.name, problem, wait)
            self._change(state="restarting", process_id=None, restarts=self.status.restarts + 1, note=problem)
            await self._end()
            await asyncio.sleep(wait)
            began = time.monotonic()
            problem = await self._relaunch()
            if not problem:
                self._became_ready(began)
                ready_at = time.monotonic()

    async def stop(self) -> None:
        """Ask it to end, with a time limit; afterwards nothing of it is left."""
        if self._process is not None:
            self._change(state="stopping")
            if not await self._children.stop(self._process, self.part.stop_signal, self.part.stop_seconds):
                logger.warning("%s did not end in %g s and was killed", self.part.name, self.part.stop_seconds)
            self._change(state="stopped", process_id=None)

    async def _relaunch(self) -> str:
        """As `_launch`; a full disk is one more problem to wait out, and no reason to end the other parts."""
        try:
            return await self._launch()
        except (OSError, StackError) as error:
            return f"cannot be started: {error}"

    async def _launch(self) -> str:
        """Start the process and wait until it is ready; returns what went wrong, or nothing."""
        self.part.prepare()
        command = self.part.command()
        command = replace(command, env={**command.env, **self._mark})
        began = time.monotonic()
        self._process = self._children.start(command, self._log)
        self._change(state="starting", process_id=self._process.pid, started_at=time.time())
        note = "did not answer"
        while time.monotonic() - began < self.part.start_seconds:
            if self._process.poll() is not None:
                return ending(self._process)
            health = await self._look()
            if health.is_ready:
                return ""
            note = health.note
            if health.is_final:
                return f"cannot start: {note}"
            await asyncio.sleep(START_LOOK_SECONDS)
        return f"was not ready after {self.part.start_seconds:g} s: {note}"

    async def _first_problem(self) -> str:
        """What breaks first: the process, something within it, or its answers."""
        watches = [asyncio.create_task(watch) for watch in (self._end_of_process(), self._defect(), self._silence())]
        try:
            done, _ = await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    async def _end_of_process(self) -> str:
        await ended(self._running)
        return ending(self._running)

    async def _defect(self) -> str:
        while not (defect := self.part.defect(self._running.pid)):  # noqa: ASYNC110  (nothing announces it)
            await asyncio.sleep(DEFECT_SECONDS)
        return defect

    async def _silence(self) -> str:
        last_sign = time.monotonic()
        while time.monotonic() - last_sign < self.part.silent_seconds:
            await asyncio.sleep(LOOK_SECONDS)
            health = await self._look()
            if health.is_alive:
                last_sign = time.monotonic()
            self._change(state="ready" if health.is_ready else "unready", note=health.note)
        return f"gave no sign of life for {self.part.silent_seconds:g} s"

    async def _look(self) -> Health:
        """Whatever goes wrong in asking is one more problem of this part, and no reason to end the other ones."""
        try:
            return await self.part.look()
        except Exception as error:
            logger.exception("looking at %s failed", self.part.name)
            return Health.silent(f"cannot be looked at: {error!r}")

    async def _end(self) -> None:
        await self._children.end(self._running)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.part.name} was never started")
        return self._process

    def _became_ready(self, began: float) -> None:
        seconds = time.monotonic() - began
        logger.info("%s is ready after %.1f s", self.part.name, seconds)
        self._change(state="ready", ready_after_seconds=round(seconds, 1), note="")

    def _change(self, **values: Any) -> None:
        changed = replace(self.status, **values)
        if changed != self.status:
            self.status = changed
            self._on_change()


def ending(process: subprocess.Popen[bytes]) -> str:
    """How a process ended, in words."""
    if process.returncode < 0:
        return f"was ended by {signal.Signals(-process.returncode).name}"
    return f"ended with exit status {process.returncode}"
