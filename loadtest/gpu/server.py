"""The real Triton over a repository, for one provider; it goes when the measurement ends, however that ends."""

from __future__ import annotations

import importlib.util
import os
import signal
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from loadtest.gpu.configuration import CPU
from stack import triton
from stack.command import log_tail, start, stop

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from stack.command import Command

READY_SECONDS = 1200  # TensorRT builds an engine for minutes the first time
EXIT_SECONDS = 15
PASSED_ON = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")


class ServerError(Exception):
    """Triton did not start, or could not load a model."""


@contextmanager
def running(folder: Path, repository: Path, provider: str) -> Iterator[triton.Addresses]:
    """tritonserver with every model of the repository loaded; `folder` takes its backends and its log."""
    triton.prepare_backends(folder / "backends")
    addresses, log = triton.Addresses.pick(), folder / "triton.log"
    prefix = f"frond-gpu-{os.getpid()}-"
    process = start(_command(repository, folder / "backends", addresses, prefix, provider), log)
    try:
        _wait(process, addresses, log)
        yield addresses
    finally:
        stop(process, signal.SIGTERM, EXIT_SECONDS)
        triton.sweep_shared_memory(prefix)


def _command(repository: Path, backends: Path, addresses: triton.Addresses, prefix: str, provider: str) -> Command:
    command = triton.serve_command(repository, backends, addresses, prefix)
    if provider == CPU:
        return command
    libraries = [command.env["LD_LIBRARY_PATH"], *library_folders(), os.environ.get("LD_LIBRARY_PATH", "")]
    env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    env |= {"LD_LIBRARY_PATH": ":".join(filter(None, libraries))}
    return replace(command, argv=(*command.argv, "--model-config-name=gpu"), env={**command.env, **env})


def library_folders() -> list[str]:
    """Of TensorRT's wheel, if it is installed; CUDA's are found by the backend itself."""
    spec = importlib.util.find_spec("tensorrt_libs")
    return list(spec.submodule_search_locations or ()) if spec else []


def _wait(process: subprocess.Popen[bytes], addresses: triton.Addresses, log: Path) -> None:
    """Until it answers, which it does once every model has been tried."""
    deadline = time.monotonic() + READY_SECONDS
    with InferenceServerClient(addresses.grpc) as client:
        while not _answers(client):
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"Triton did not start:\n{log_tail(log)}")
            time.sleep(0.1)
        index = client.get_model_repository_index(addresses.grpc_control).models
        failed = [f"{model.name}: {model.reason}" for model in index if model.state != "READY"]
    if failed:
        raise ServerError("Triton could not load {}\n{}".format("\n".join(failed), log_tail(log)))


def _answers(client: InferenceServerClient) -> bool:
    try:
        return bool(client.is_server_live())
    except InferenceServerException:
        return False
