"""A closed loop on Triton from several processes, since one Python process is slower than the server it measures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import tritonclient.grpc.aio as triton

from loadtest.gpu.timing import Timing

if TYPE_CHECKING:
    from concurrent.futures import Executor

START_TOGETHER = 0.5  # seconds in which every process connects and has its first answer; later ones start late


@dataclass(frozen=True, slots=True)
class Load:
    """`payloads` take turns: JPEGs for `diagnose`, uint8 [size, size, 3] for a classifier. `start`: time.monotonic."""

    address: str
    model: str
    payloads: list[Any]
    concurrency: int
    seconds: float
    version: str | None = None
    start: float = 0.0


def run(processes: Executor, count: int, load: Load) -> Timing:
    """Spread the concurrency over `count` processes; what ends after the time does not count."""
    start = time.monotonic() + START_TOGETHER
    shares = [replace(load, concurrency=share, start=start) for share in spread(load.concurrency, count)]
    latencies = [latency for found in processes.map(latencies_of, shares) for latency in found]
    return Timing.of(latencies, load.seconds)


def spread(concurrency: int, count: int) -> list[int]:
    """As even as can be: 8 over 3 → 3, 3, 2; never a process with nothing to do."""
    count = min(concurrency, count)
    return [concurrency // count + (index < concurrency % count) for index in range(count)]


def latencies_of(load: Load) -> list[float]:
    """Seconds of each request; the work of one process."""
    return asyncio.run(_latencies_of(load))


async def _latencies_of(load: Load) -> list[float]:
    async with triton.InferenceServerClient(load.address) as client:
        ask = _asking(client, load)
        await ask()
        await asyncio.sleep(max(0.0, load.start - time.monotonic()))
        found = await asyncio.gather(*(_worker(ask, load.start + load.seconds) for _ in range(load.concurrency)))
    return [latency for latencies in found for latency in latencies]


async def _worker(ask: Callable[[], Awaitable[Any]], end: float) -> list[float]:
    latencies = []
    while (begin := time.monotonic()) < end:
        await ask()
        if (now := time.monotonic()) <= end:
            latencies.append(now - begin)
    return latencies


def _asking(client: Any, load: Load) -> Callable[[], Awaitable[Any]]:
    """The inputs are encoded once: the client shall cost as little as it can."""
    inputs = cycle([[_tensor(payload)] if load.version is None else [_photo(payload)] for payload in load.payloads])
    parameters = {} if load.version is None else {"version": load.version}

    def ask() -> Awaitable[Any]:
        asked: Awaitable[Any] = client.infer(load.model, next(inputs), parameters=parameters)
        return asked

    return ask


def _tensor(image: Any) -> Any:
    wanted = triton.InferInput("IMAGE", [1, *image.shape], "UINT8")
    wanted.set_data_from_numpy(image[None])
    return wanted


def _photo(photo: bytes) -> Any:
    wanted = triton.InferInput("IMAGES", [1, 1], "BYTES")
    wanted.set_data_from_numpy(np.array([[photo]], dtype=np.object_))
    return wanted
