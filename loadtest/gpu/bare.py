"""What ONNX Runtime gives without a server: the same provider and options, in a process of its own."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from loadtest.gpu import photos, session
from loadtest.gpu.timing import Timing, repeat
from preprocess.tensor import ImageTensor, Preprocessing, to_tensor

if TYPE_CHECKING:
    from pathlib import Path

DECODED_AHEAD = 4  # batches: the decoders never wait for the network


@dataclass(frozen=True, slots=True)
class Job:
    """A release, where its provider runs it, and how long each figure is measured."""

    repository: Path
    model: str
    folder: Path
    provider: str
    preprocessing: Preprocessing
    batches: tuple[int, ...]
    photo_sizes: tuple[str, ...]
    seconds: float


def answers(job: Job, jpegs: list[bytes]) -> Any:
    """Logits [n, classes] one photo at a time: what the CPU says."""
    runner = session.create(job.repository, job.model, job.folder, job.provider)
    images = photos.tensors(jpegs, job.preprocessing)
    return np.concatenate([session.logits(runner, image[None]) for image in images])


def measure(job: Job) -> dict[str, Any]:
    """`tensor`: batch size → timing of a run. `jpeg`: size of photo → alone one after another, and in batches."""
    runner = session.create(job.repository, job.model, job.folder, job.provider)
    jpegs = {size: photos.of_size(size) for size in job.photo_sizes}
    some = photos.tensors(next(iter(jpegs.values())), job.preprocessing)
    return {
        "tensor": {str(batch): _tensors(runner, some, batch, job.seconds) for batch in job.batches},
        "jpeg": {size: _jpegs(runner, found, job) for size, found in jpegs.items()},
    }


def _tensors(runner: Any, some: Any, batch: int, seconds: float) -> Timing:
    images = np.concatenate([some] * -(-batch // len(some)))[:batch]
    latencies, spent = repeat(lambda: session.logits(runner, images), seconds)
    return Timing.of(latencies, spent, photos_each=batch)


def _jpegs(runner: Any, found: list[bytes], job: Job) -> dict[str, Timing]:
    turns = cycle(found)
    latencies, spent = repeat(
        lambda: session.logits(runner, to_tensor(next(turns), job.preprocessing)[None]), job.seconds
    )
    batched = {f"batches of {batch}": _pipelined(runner, found, batch, job) for batch in job.batches if batch > 1}
    return {"one by one": Timing.of(latencies, spent), **batched}


def _pipelined(runner: Any, found: list[bytes], batch: int, job: Job) -> Timing:
    """All cores decode ahead; the network takes batches as they are ready. The machine's limit, nearly."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as decoders:
        coming = (decoders.submit(to_tensor, photo, job.preprocessing) for photo in cycle(found))
        ready = deque(islice(coming, batch * DECODED_AHEAD))

        def turn() -> None:
            images: list[ImageTensor] = []
            for _ in range(batch):
                images.append(ready.popleft().result())
                ready.append(next(coming))
            session.logits(runner, np.stack(images))

        latencies, spent = repeat(turn, job.seconds)
        decoders.shutdown(cancel_futures=True)
    return Timing.of(latencies, spent, photos_each=batch)
