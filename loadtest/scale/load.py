"""Load on several gateways in turns: a closed loop of so many callers, and an open one at a rate."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.connection import LOCAL_USER, local_token
from loadtest.asking.photos import photo
from loadtest.http import HttpConnection, form, post
from loadtest.open_loop.arrivals import arrivals
from loadtest.open_loop.generator import generate
from loadtest.scale import spending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DETAILS = json.dumps({"assessmentId": "scale", "plantContext": {"id": "scale"}}).encode()
OK, UNAVAILABLE = 200, 503
SEED = 7
PATIENCE_SECONDS = 10.0
REFUSED_SECONDS = 0.1  # before who was refused asks again


class OverloadedError(Exception):
    """The gateway answered 503: it expects that the answer would come too late, or a model is just being exchanged."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Latencies in seconds of what was answered within the time, and what a request cost each kind of process."""

    seconds: float
    latencies: list[float]
    cpu_seconds: dict[str, float]
    refused: float = 0.0  # share of the requests

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds


class Callers:
    """As many connections to each gateway as it has requests in flight."""

    def __init__(self, addresses: list[str], size: str) -> None:
        self._turns = itertools.cycle(addresses)
        self._idle: dict[str, list[HttpConnection]] = {address: [] for address in addresses}
        self._token = local_token(LOCAL_USER)
        self.photo_bytes = len(photo(size))
        self._content_type, self._body = form(DETAILS, photo(size))

    async def ask(self) -> None:
        """Raises `OverloadedError` for a 503, RuntimeError for anything else but a success."""
        address = next(self._turns)
        idle = self._idle[address]
        connection = idle.pop() if idle else await HttpConnection.open(address)
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": str(uuid.uuid4())}
        response = await connection.send(post("/v1/ai-inference", headers, self._content_type, self._body))
        if response.status == UNAVAILABLE:
            idle.append(connection)
            raise OverloadedError(response.body.decode())
        if response.status != OK:
            raise RuntimeError(f"{response.status}: {response.body.decode()}")
        idle.append(connection)

    def close(self) -> None:
        for connection in itertools.chain.from_iterable(self._idle.values()):
            connection.close()


async def closed(ask: Callable[[], Awaitable[None]], stack_pid: int, callers: int, seconds: float) -> Observed:
    """Each caller asks again at once; who is refused, after a moment."""
    log = Log(seconds)

    async def caller(end: float) -> None:
        while (began := time.perf_counter()) < end:
            try:
                await ask()
                log.add(began)
            except OverloadedError:
                log.refused += 1
                await asyncio.sleep(REFUSED_SECONDS)

    async def load() -> None:
        await asyncio.gather(*(caller(log.end) for _ in range(callers)))

    await ask()
    return await observed(load, log, stack_pid)


async def opened(ask: Callable[[], Awaitable[None]], stack_pid: int, rate: float, seconds: float) -> Observed:
    """Poisson arrivals, all of them waited for; latency from the moment that was meant."""
    log = Log(seconds + PATIENCE_SECONDS)
    failures: list[Exception] = []

    async def timed(meant_at: float) -> None:
        try:
            await ask()
            log.add(meant_at)
        except OverloadedError:
            log.refused += 1
        except Exception as error:  # noqa: BLE001  (raised below; the generator runs on)
            failures.append(error)

    async def load() -> None:
        await generate(arrivals("poisson", rate, seconds, random.Random(SEED)), timed, log.lose)

    found = await observed(load, log, stack_pid)
    if failures:
        raise failures[0]
    return found


class Log:
    """Of requests as they end; those that end too late cost CPU time and count for nothing else."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.end = 0.0
        self.latencies: list[float] = []
        self.ended = self.refused = 0

    def begin(self) -> None:
        self.end = time.perf_counter() + self.seconds

    def lose(self, _reason: str) -> None:
        """One that the generator could not send, or had no answer."""
        self.refused += 1

    def add(self, began: float) -> None:
        now = time.perf_counter()
        self.ended += 1
        if now <= self.end:
            self.latencies.append(now - began)


async def observed(load: Callable[[], Awaitable[None]], log: Log, stack_pid: int) -> Observed:
    before = spending.cpu_seconds(stack_pid)
    log.begin()
    await load()
    spent = spending.cpu_seconds(stack_pid)
    if not log.latencies:
        raise RuntimeError(f"Nothing was answered within {log.seconds:g} s; measure for longer.")
    cost = {kind: (value - before[kind]) / log.ended for kind, value in spent.items()}
    return Observed(log.seconds, log.latencies, cost, log.refused / (log.ended + log.refused))
