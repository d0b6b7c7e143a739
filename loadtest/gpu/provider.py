"""Which provider a machine has: asked for by making a session with it, since a listed one may lack its libraries."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from loadtest.gpu import configuration, session
from loadtest.gpu.server import library_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def in_a_process(work: Callable[..., Any], *arguments: Any) -> Any:
    """Its result; the process's end gives back all memory of the GPU."""
    with processes(1) as pool:
        return pool.submit(work, *arguments).result()


@contextmanager
def processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """New ones: a fork would inherit threads of gRPC and a state of CUDA that it cannot use."""
    with _libraries(), ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
        yield pool


@contextmanager
def _libraries() -> Iterator[None]:
    """The loader reads its path when a process starts, so it has to be set before."""
    before = os.environ.get("LD_LIBRARY_PATH")
    os.environ["LD_LIBRARY_PATH"] = ":".join(filter(None, [*library_folders(), before or ""]))
    try:
        yield
    finally:
        if before is None:
            del os.environ["LD_LIBRARY_PATH"]
        else:
            os.environ["LD_LIBRARY_PATH"] = before


def trouble(repository: Path, model: str, folder: Path, provider: str) -> str | None:
    """Why a provider cannot be used here; None: it can."""
    try:
        session.create(repository, model, folder, provider)
    except session.ProviderError as error:
        return str(error)
    return None


ORDER = (configuration.TENSORRT, configuration.CUDA)
