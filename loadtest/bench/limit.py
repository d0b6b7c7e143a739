"""The limit of the machine: decode and predict in a loop, one process a core, no server at all."""

from __future__ import annotations

import asyncio
import functools
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import onnxruntime as ort

from loadtest.bench.answers import RELEASE, Answer, reference
from preprocess.release import read_release
from preprocess.tensor import to_tensor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from loadtest.bench.load import Load

T = TypeVar("T")
START_SECONDS = 0.2  # until every process has its order; they begin together


class BareLoop:
    """Under load a process a core, a thread each; for one client one process, whose predictions take every core."""

    def __init__(self, processes: list[ProcessPoolExecutor]) -> None:
        self._processes = processes

    async def prepare(self) -> None:
        """Have every process start, and make its sessions."""
        cores = len(self._processes)
        await asyncio.gather(*(_run(each, _make_session, 1) for each in self._processes))
        await _run(self._processes[0], _make_session, cores)

    async def answer(self, photo: bytes) -> Answer:
        return await _run(self._processes[0], reference, photo)

    async def latencies(self, photo: bytes, load: Load) -> list[float]:
        processes = self._processes[: load.concurrency]
        threads = len(self._processes) // len(processes)
        begin = time.perf_counter() + START_SECONDS + load.warm_up_seconds  # the same clock in all processes
        taken = await asyncio.gather(
            *(_run(each, _repeat, photo, threads, begin, begin + load.seconds) for each in processes)
        )
        return [seconds for each in taken for seconds in each]


@asynccontextmanager
async def bare_loop() -> AsyncIterator[BareLoop]:
    """An executor a core, of one process: so each gets its order, and no process two."""
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        cores = range(len(os.sched_getaffinity(0)))
        loop = BareLoop([stack.enter_context(ProcessPoolExecutor(1, context)) for _ in cores])
        await loop.prepare()
        yield loop


async def _run(process: ProcessPoolExecutor, work: Callable[..., T], *arguments: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(process, work, *arguments)


def _repeat(photo: bytes, threads: int, begin: float, end: float) -> list[float]:
    """What one process does: seconds of each turn that ended in time."""
    preprocessing, session = read_release(RELEASE).preprocessing, _session(threads)
    taken = []
    while (began := time.perf_counter()) < end:
        session.run(["LOGITS"], {"IMAGE": to_tensor(photo, preprocessing)[None]})
        if begin <= (ended := time.perf_counter()) < end:
            taken.append(ended - began)
    return taken


def _make_session(threads: int) -> None:
    _session(threads)  # which cannot be sent back


@functools.cache
def _session(threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(RELEASE / "model.onnx", options)
