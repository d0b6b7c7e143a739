"""A closed loop: so many clients, each of which asks again as soon as it has its answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass

Ask = Callable[[], Awaitable[bytes]]
Connect = Callable[[], AbstractAsyncContextManager[Ask]]


@dataclass(frozen=True, slots=True)
class Load:
    """How many clients, for how long, in seconds; before it counts they ask for `warm_up_seconds`."""

    concurrency: int
    seconds: float
    warm_up_seconds: float


async def closed_loop(connect: Connect, load: Load) -> list[float]:
    """How long each request took, in seconds, that was answered within the time that counts.

    All ask from the beginning of the warm-up to the end, so that the time neither begins with idle servers nor ends
    with a tail: what was answered, divided by the time, is the throughput.
    """
    async with AsyncExitStack() as connections:
        asks = [await connections.enter_async_context(connect()) for _ in range(load.concurrency)]
        begin = time.perf_counter() + load.warm_up_seconds
        taken = await asyncio.gather(*(_client(ask, begin, begin + load.seconds) for ask in asks))
    return [seconds for each in taken for seconds in each]


async def _client(ask: Ask, begin: float, end: float) -> list[float]:
    taken = []
    while (asked := time.perf_counter()) < end:
        await ask()
        if begin <= (answered := time.perf_counter()) < end:
            taken.append(answered - asked)
    return taken
