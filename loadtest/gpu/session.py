"""A session of ONNX Runtime as the backend makes it from a release's configuration, in this process."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from loadtest.gpu import configuration
from stack.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

BACKEND = ROOT / "backends" / "onnxruntime"
DEVICE = "0"


class ProviderError(Exception):
    """A provider that cannot be used here, or a graph that it cannot run; in the backend's words."""


def create(repository: Path, model: str, version_folder: Path, provider: str, threads: int | None = None) -> Any:
    """Raises `ProviderError`. `threads` of one run; all cores are this session's where none are named."""
    config = configuration.as_triton_gives_it(configuration.path(repository, model, provider))
    config["parameters"]["intra_op_thread_count"] = {"string_value": str(threads or len(os.sched_getaffinity(0)))}
    backend = _of_backend("session")
    kind = "CPU" if provider == configuration.CPU else "GPU"
    try:
        return backend.create_session(config, version_folder, kind, DEVICE)
    except Exception as error:  # noqa: BLE001 — the backend's own type is known to this process only, and may have to leave it
        raise ProviderError(str(error)) from None


def readied(model: Path) -> bytes:
    """The graph as the backend gives it to ONNX Runtime on a CPU."""
    found: Path | bytes = _of_backend("graph").readied(model)
    return found if isinstance(found, bytes) else found.read_bytes()


def _of_backend(module: str) -> Any:
    """No package: Triton loads it from its folder, and so do we."""
    sys.path.insert(0, str(BACKEND))
    try:
        return importlib.import_module(module)
    finally:
        sys.path.remove(str(BACKEND))


def logits(session: Any, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """[n, classes] float32 for images uint8 [n, size, size, 3]."""
    (found,) = session.run(["LOGITS"], {"IMAGE": images})
    array: NDArray[np.float32] = found
    return array
