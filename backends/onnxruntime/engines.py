"""Where TensorRT keeps its engines: one instance builds an engine, the others wait for it and load it."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from providers import Options

LOCK = "build.lock"


@contextmanager
def built_by_one(providers: list[tuple[str, Options]]) -> Iterator[None]:
    """Hold the lock of the engine cache while a session is made; without a cache there is nothing to wait for.

    Triton starts the instances of a model at once, and here they are processes: onnxruntime's own lock is for threads.
    Without this one each would build the same engine for minutes, and could read another's half-written file.
    """
    cache = dict(providers).get(PROVIDERS["tensorrt"], {}).get("trt_engine_cache_path")
    if cache is None:
        yield
        return
    folder = Path(cache)
    folder.mkdir(parents=True, exist_ok=True)  # onnxruntime makes the last folder only, and fails if it just appeared
    with (folder / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel frees it when an instance dies
        yield
