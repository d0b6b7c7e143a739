"""One process that starts the parts in order, keeps each alive, and stops them in reverse."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stack import leftovers, logs
from stack.keeper import Keeper
from stack.state import State, Status, write_state, write_status

if TYPE_CHECKING:
    from stack.children import Children
    from stack.part import Part
    from stack.paths import StatePaths

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOG_CHECK_SECONDS = 10.0

logger = logging.getLogger(__name__)

OnStatus = Callable[[Status], None]
OnReady = Callable[[State], bool]


@dataclass(slots=True)
class Supervisor:
    """The parts of one state folder. `state` is written for others when all are ready."""

    paths: StatePaths
    state: State
    parts: Sequence[Part]
    children: Children
    on_status: OnStatus
    started_at: float = field(default_factory=time.time)
    was_ready: bool = False
    keepers: list[Keeper] = field(default_factory=list)

    async def run(self, on_ready: OnReady) -> None:
        """Serve until a signal; raises StartError when a part does not start. Whatever happens, all parts are stopped.

        `on_ready` runs in a thread of its own once everything is ready; when it returns False, that is the end.
        """
        self.children.adopt_orphans()
        mark = leftovers.mark(self.paths)
        self.keepers = [
            Keeper(part, self.paths.log(part.name), self.children, mark, self._changed) for part in self.parts
        ]
        self._changed()
        stop = asyncio.create_task(_stop_signal())
        serve = asyncio.create_task(self._serve(on_ready))
        try:
            await asyncio.wait((stop, serve), return_when=asyncio.FIRST_COMPLETED)
        finally:
            is_wanted = stop.done()  # a Ctrl-C may have ended a part just starting, too: that is no failure
            serve.cancel()
            await asyncio.gather(serve, return_exceptions=True)
            await self._stop()
            stop.cancel()
        if not is_wanted and not serve.cancelled() and (error := serve.exception()):
            raise error

    async def _serve(self, on_ready: OnReady) -> None:
        for keeper in self.keepers:
            await keeper.start()
        self.was_ready = True
        write_state(self.paths, self.state)
        self._changed()
        logger.info("ready after %.1f s", time.time() - self.started_at)
        keeping = asyncio.gather(*(keeper.keep() for keeper in self.keepers), self._bound_logs())
        greeting = asyncio.create_task(asyncio.to_thread(on_ready, self.state))
        try:
            await asyncio.wait((keeping, greeting), return_when=asyncio.FIRST_COMPLETED)
            if not greeting.done() or greeting.result():
                await keeping
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _stop(self) -> None:
        self.paths.state.unlink(missing_ok=True)
        for keeper in reversed(self.keepers):
            await keeper.stop()
        logger.info("stopped")

    async def _bound_logs(self) -> None:
        while True:
            for log in self.paths.logs.glob("*.log"):
                logs.bound(log)
            await asyncio.sleep(LOG_CHECK_SECONDS)

    def _changed(self) -> None:
        parts = tuple(keeper.status for keeper in self.keepers)
        status = Status(os.getpid(), self.started_at, self.was_ready, parts)
        try:
            write_status(self.paths, status)
        except OSError as error:  # a full disk must not end what serves
            logger.warning("%s cannot be written: %s", self.paths.status, error.strerror)
        self.on_status(status)


async def _stop_signal() -> None:
    """Return when somebody wants us to stop. A hang-up that was being ignored (nohup) stays ignored."""
    arrived = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, _note, number, arrived)
    await arrived.wait()


def _note(number: signal.Signals, arrived: asyncio.Event) -> None:
    logger.info("stopping on %s", number.name)
    arrived.set()
