"""A small ONNX model on the device, with the service's own preprocessing and temperature (extra `frond[device]`)."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frond import forking
from frond.errors import DeviceFailedError, DeviceUnavailableError
from frond.types import Diagnosis

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from types import ModuleType

INPUT, OUTPUT = "IMAGE", "LOGITS"  # of every release's graph: uint8 [N, size, size, 3] → float32 [N, labels]

_left_behind: list[Any] = []  # sessions of parents; to destroy one is to wait for threads that this process has not


class OnnxDevicePredictor:
    """Fills the coordinator's `DevicePredictor`.

    `release`: a folder with `model.onnx`, `labels.json`, `preprocess.json` and `calibration.json`, as the service
    serves it. `threads`: that one prediction may use, 0 for one a core. Raises `DeviceUnavailableError` where the extra
    is missing or the release cannot be loaded. Predictions go one after the other. It belongs to the process that made
    it: in a child of a fork, where ONNX Runtime's threads are missing, `predict` raises `DeviceUnavailableError`.
    """

    def __init__(self, release: str | os.PathLike[str], *, threads: int = 0) -> None:
        folder = Path(release)
        runtime, self._numpy, self._tensor, self._diagnosis, releases = _modules()
        try:
            self._release = releases.read_release(folder)
            options = runtime.SessionOptions()
            options.intra_op_num_threads = threads
            self._session = runtime.InferenceSession(
                str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime raises a dozen types for a file that is none
            raise DeviceUnavailableError("The model of this device cannot be loaded.") from error
        self._is_the_parents = False
        self._new_run_options = runtime.RunOptions
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="frond device")
        forking.tell_in_child(self)

    def after_fork(self) -> None:
        self._is_the_parents = True
        _left_behind.append(self._session)

    async def predict(self, photos: Sequence[bytes], top_k: int) -> Diagnosis:
        """Cancelled, it stops at the next photo, or within the network at its next node."""
        if self._is_the_parents:
            raise DeviceUnavailableError("The model was loaded before a fork; load it in the child.")
        run = _DeviceRun(self._new_run_options())
        work = asyncio.get_running_loop().run_in_executor(self._worker, self._predict, photos, top_k, run)
        try:
            return await work
        finally:
            run.stop()

    def close(self) -> None:
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _predict(self, photos: Sequence[bytes], top_k: int, run: _DeviceRun) -> Diagnosis:
        started = time.perf_counter()
        tensors = [self._tensor_of(photo, run) for photo in photos]
        decoded = time.perf_counter()
        readable = [tensor for tensor in tensors if not isinstance(tensor, Exception)]
        rows = iter(self._logits(readable, run) if readable else ())
        logits = [tensor if isinstance(tensor, Exception) else next(rows) for tensor in tensors]
        inferred = time.perf_counter()
        answer = self._diagnosis.diagnose(self._release, logits, top_k)
        hashes = [hashlib.sha256(photo).hexdigest() for photo in photos]
        answer["images"] = [{"sha256": sha256, **image} for sha256, image in zip(hashes, answer["images"], strict=True)]
        milliseconds = {
            "queue": 0.0,
            "decode": (decoded - started) * 1000,
            "infer": (inferred - decoded) * 1000,
            "total": (time.perf_counter() - started) * 1000,
        }
        return Diagnosis.model_validate({**answer, "timingMs": milliseconds})

    def _logits(self, tensors: list[Any], run: _DeviceRun) -> Any:
        return self._session.run([OUTPUT], {INPUT: self._numpy.stack(tensors)}, run.options)[0]

    def _tensor_of(self, photo: bytes, run: _DeviceRun) -> Any:
        """Or the `ImageError` of a photo that cannot be read: it fails alone, as in the service."""
        if run.is_stopped():
            raise DeviceFailedError("The device was told to stop.")
        try:
            return self._tensor.to_tensor(photo, self._release.preprocessing)
        except self._tensor.ImageError as error:
            return error


class _DeviceRun:
    """Lets the event loop stop what the worker does."""

    def __init__(self, options: Any) -> None:
        self.options = options
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()
        self.options.terminate = True

    def is_stopped(self) -> bool:
        return self._stopped.is_set()


def _modules() -> list[ModuleType]:
    """The runtime, and the service's own modules that need NumPy and Pillow."""
    preprocess = ("tensor", "diagnosis", "release")
    names = ("onnxruntime", "numpy", *(f"frond._preprocess.{name}" for name in preprocess))
    try:
        return [importlib.import_module(name) for name in names]
    except ImportError as error:
        raise DeviceUnavailableError("The model needs the extra frond[device].") from error
