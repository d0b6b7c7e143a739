"""A client of the session's Triton, and models of a test's own beside the shipped ones."""

from __future__ import annotations

import shutil
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tritonclient.grpc import InferenceServerClient, InferenceServerClientPlugin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import RunningTriton


class Control(InferenceServerClientPlugin):  # type: ignore[misc]
    """Shows the key with every call."""

    def __init__(self, metadata: dict[str, str]) -> None:
        self._metadata = metadata

    def __call__(self, request: Any) -> None:
        request.headers.update(self._metadata)


def metrics(triton: RunningTriton) -> dict[str, float]:
    """What `diagnose` adds to Triton's own, by series."""
    with urllib.request.urlopen(f"http://{triton.metrics}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    series = (line.rsplit(" ", 1) for line in lines if line.startswith("frond_"))
    return {name: float(value) for name, value in series}


class Models:
    """Model folders in the running server's repository, which go when the test is over."""

    def __init__(self, client: InferenceServerClient, repository: Path) -> None:
        self._client = client
        self._repository = repository
        self._names: list[str] = []

    def add(self, name: str, config: str, graph: bytes | None, file: str = "model.onnx") -> Path:
        """Write version 1 of a model; `graph` None: without its file. Returns the version folder."""
        folder = self._repository / name / "1"
        folder.mkdir(parents=True)
        self._names.append(name)
        (folder.parent / "config.pbtxt").write_text(config)
        if graph is not None:
            (folder / file).write_bytes(graph)
        return folder

    def load(self, name: str, config: str, graph: bytes | None, file: str = "model.onnx") -> Path:
        folder = self.add(name, config, graph, file)
        self._client.load_model(name)
        return folder

    def remove_all(self) -> None:
        for name in self._names:
            self._client.unload_model(name)
            shutil.rmtree(self._repository / name)


@pytest.fixture(scope="session")
def client(triton: RunningTriton) -> Iterator[Any]:
    """One that may load and unload."""
    with InferenceServerClient(triton.grpc) as client:
        client.register_plugin(Control(triton.addresses.grpc_control))
        yield client


@pytest.fixture
def models(client: InferenceServerClient, triton: RunningTriton) -> Iterator[Models]:
    models = Models(client, triton.model_repository)
    yield models
    models.remove_all()


@dataclass(frozen=True, slots=True)
class Count:
    """How many requests a model has finished since it was loaded, failed ones too, and in how many executions."""

    requests: int
    executions: int

    def __sub__(self, other: Count) -> Count:
        return Count(self.requests - other.requests, self.executions - other.executions)


def count(client: Any, model: str, at_least: int = 0) -> Count:
    """Triton counts a request after it has sent the answer; this waits for `at_least` so many."""
    deadline = time.monotonic() + 10
    while True:
        (statistics,) = client.get_inference_statistics(model).model_stats
        outcomes = statistics.inference_stats
        counted = Count(outcomes.success.count + outcomes.fail.count, statistics.execution_count)
        if counted.requests >= at_least:
            return counted
        assert time.monotonic() < deadline, f"{model} has finished {counted.requests} requests, not {at_least}"
        time.sleep(0.01)


def stubs(triton: RunningTriton, version_folder: Path) -> list[int]:
    """Process ids of a model's instances."""
    children = " ".join(path.read_text() for path in Path(f"/proc/{triton.process_id}/task").glob("*/children"))
    mark = str(version_folder).encode()
    return [int(child) for child in children.split() if mark in command_line(child)]


def command_line(process_id: str) -> bytes:
    try:
        return Path(f"/proc/{process_id}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # ended since it was listed: a model unloaded by another test
        return b""
