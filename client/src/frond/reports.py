"""Events on their way to `POST /v1/telemetry`: sampled, bounded, kept while there is no network."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from frond import forking
from frond.errors import CloudInferenceError
from frond.policy.request import JSON, TELEMETRY_PATH, checked_token
from frond.types import MAX_TELEMETRY_EVENTS, TelemetryBatch, TelemetryEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from frond.exchange import Exchange
    from frond.tokens import Tokens

SEND_SECONDS = 5.0
LAST_SEND_SECONDS = 0.5  # closing an app must not wait for numbers
TOO_MANY_REQUESTS, TOO_EARLY, REQUEST_TIMEOUT, UNAUTHORISED, FIRST_SERVER_STATUS = 429, 425, 408, 401, 500
WORTH_KEEPING = frozenset({TOO_MANY_REQUESTS, TOO_EARLY, REQUEST_TIMEOUT, UNAUTHORISED})


@dataclass(frozen=True, slots=True)
class Reporting:
    """`sample_ratio` of the events is sent, every `interval_seconds`; at most `max_queued` wait, the oldest go first.

    A batch whose acknowledgement is lost is sent again, so that counts may be a little high, never low for that reason.
    """

    sample_ratio: float = 0.1
    interval_seconds: float = 30.0
    max_queued: int = 500
    draw: Callable[[], float] = field(default=random.random)


class Reports:
    """A sink of `Telemetry`, and what sends the events; the sending belongs to one event loop."""

    def __init__(self, reporting: Reporting, exchange: Exchange, tokens: Tokens) -> None:
        self._reporting = reporting
        self._exchange = exchange
        self._tokens = tokens
        self._queue = deque[TelemetryEvent](maxlen=reporting.max_queued)
        self._lock = forking.Lock()
        self._task: asyncio.Task[None] | None = None
        forking.tell_in_child(self)

    def after_fork(self) -> None:
        """What waits is the parent's to send."""
        self._queue.clear()
        self._task = None

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, event: TelemetryEvent) -> None:
        if self._reporting.draw() < self._reporting.sample_ratio:
            with self._lock:
                self._queue.append(event)

    def start(self) -> None:
        """Send from time to time from now on; nothing to do when it does already, or when nothing is sampled."""
        if (self._task is None or self._task.done()) and self._reporting.sample_ratio > 0:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="frond telemetry")

    async def close(self) -> None:
        """Try once more, briefly, and stop."""
        task, self._task = self._task, None
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_SEND_SECONDS):
                await self.flush()

    async def flush(self) -> None:
        """Send what waits, batch by batch, until it is gone or one cannot be sent."""
        while self._queue and await self._send(self._take()):
            pass

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._reporting.interval_seconds)
            with suppress(TimeoutError):
                async with asyncio.timeout(SEND_SECONDS):
                    await self.flush()

    def _take(self) -> list[TelemetryEvent]:
        with self._lock:
            return [self._queue.popleft() for _ in range(min(len(self._queue), MAX_TELEMETRY_EVENTS))]

    def _put_back(self, events: list[TelemetryEvent]) -> None:
        """In front, unless newer ones have taken their room."""
        with self._lock:
            room = self._reporting.max_queued - len(self._queue)
            self._queue.extendleft(reversed(events[-room:] if room else []))

    async def _send(self, events: list[TelemetryEvent]) -> bool:
        """Whether the events are done with: taken, or refused for good."""
        is_done = False
        try:
            token = checked_token(await self._tokens.current())
            body = TelemetryBatch(events=events).model_dump_json(by_alias=True, exclude_none=True).encode()
            headers = {"Authorization": f"Bearer {token}", "Content-Type": JSON}
            answer = await self._exchange.send("POST", TELEMETRY_PATH, headers, body)
            is_done = answer.status < FIRST_SERVER_STATUS and answer.status not in WORTH_KEEPING
        except CloudInferenceError:
            pass
        finally:
            if not is_done:
                self._put_back(events)
        return is_done
