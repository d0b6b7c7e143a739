"""The limit of the machine: decode and predict in a loop, one process a core, no server at all.

With the graph as it is in the release, which is what every peer loads, or readied as Frond's backend loads it.
"""

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

from loadtest.bench.answers import RELEASE, Answer, of_session
from loadtest.gpu import session
from loadtest.gpu.configuration import CPU
from preprocess.diagnosis import MODEL_NAME
from preprocess.release import read_release
from preprocess.tensor import to_tensor
from stack.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from loadtest.bench.load import Load

T = TypeVar("T")
START_SECONDS = 0.2  # until every process has its order; they begin together


class BareLoop:
    """Under load a process a core, a thread each; for one client one process, whose predictions take every core."""

    def __init__(self, processes: list[ProcessPoolExecutor], *, is_readied: bool) -> None:
        self._processes = processes
        self._is_readied = is_readied

    async def prepare(self) -> None:
        """Have every process start, and make its sessions."""
        cores = len(self._processes)
        await asyncio.gather(*(_run(each, _make_session, 1, self._is_readied) for each in self._processes))
        await _run(self._processes[0], _make_session, cores, self._is_readied)

    async def answer(self, photo: bytes) -> Answer:
        return await _run(self._processes[0], _answer, photo, self._is_readied)

    async def latencies(self, photo: bytes, load: Load) -> list[float]:
        processes = self._processes[: load.concurrency]
        threads = len(self._processes) // len(processes)
        begin = time.perf_counter() + START_SECONDS + load.warm_up_seconds  # the same clock in all processes
        order = (photo, threads, self._is_readied, begin, begin + load.seconds)
        taken = await asyncio.gather(*(_run(each, _repeat, *order) for each in processes))
        return [seconds for each in taken for seconds in each]


@asynccontextmanager
async def bare_loop(*, is_readied: bool) -> AsyncIterator[BareLoop]:
    """An executor a core, of one process: so each gets its order, and no process two."""
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        cores = range(len(os.sched_getaffinity(0)))
        processes = [stack.enter_context(ProcessPoolExecutor(1, context)) for _ in cores]
        loop = BareLoop(processes, is_readied=is_readied)
        await loop.prepare()
        yield loop


async def _run(process: ProcessPoolExecutor, work: Callable[..., T], *arguments: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(process, work, *arguments)


def _repeat(photo: bytes, threads: int, is_readied: bool, begin: float, end: float) -> list[float]:  # noqa: FBT001
    """What one process does: seconds of each turn that ended in time."""
    preprocessing, classifier = read_release(RELEASE).preprocessing, _session(threads, is_readied)
    taken = []
    while (began := time.perf_counter()) < end:
        classifier.run(["LOGITS"], {"IMAGE": to_tensor(photo, preprocessing)[None]})
        if begin <= (ended := time.perf_counter()) < end:
            taken.append(ended - began)
    return taken


def _answer(photo: bytes, is_readied: bool) -> Answer:  # noqa: FBT001  (an executor hands over no names)
    return of_session(_session(1, is_readied), photo)


def _make_session(threads: int, is_readied: bool) -> None:  # noqa: FBT001
    _session(threads, is_readied)  # which cannot be sent back


@functools.cache
def _session(threads: int, is_readied: bool) -> Any:  # noqa: FBT001
    if is_readied:
        return session.create(ROOT / "model_repository", MODEL_NAME, RELEASE, CPU, threads)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(RELEASE / "model.onnx", options)
