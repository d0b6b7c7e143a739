"""A request can be followed from `diagnose` into the classifier."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from tritonclient.grpc import InferenceServerClient

from stack import triton as triton_part
from tests.conftest import RunningTriton, models_are_ready, serving
from tests.integration.serving.assessments import ask
from tests.integration.serving.photos import jpeg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def traces(triton: RunningTriton, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The gRPC address of a second Triton that traces every request, and its file: no running one can be made to."""
    file, addresses = tmp_path / "trace.json", triton_part.Addresses.pick()
    prefix = f"frond-test-{os.getpid()}-traces-"
    backends = triton.model_repository.parent / "backends"
    command = triton_part.serve_command(triton.model_repository, backends, addresses, prefix)
    settings = (f"triton,file={file}", "level=TIMESTAMPS", "rate=1", "triton,log-frequency=1")
    command = dataclasses.replace(command, argv=(*command.argv, *(f"--trace-config={each}" for each in settings)))
    models = ["classifier", "diagnose"]
    with serving(command, tmp_path / "log", signal.SIGKILL, lambda: models_are_ready(addresses.http, models)):
        yield addresses.grpc, file
    triton_part.sweep_shared_memory(prefix)


def test_the_classifiers_span_lies_below_that_of_the_request(traces: tuple[str, Path]) -> None:
    address, file = traces
    with InferenceServerClient(address) as client:
        ask(client, [jpeg()])
    spans = {entry["model_name"]: entry for entry in written(file) if "model_name" in entry}
    assert spans["classifier"]["parent_id"] == spans["diagnose"]["id"]


def written(file: Path) -> list[dict[str, Any]]:
    """Triton writes a request's spans a moment after its answer, to a numbered file."""
    deadline = time.monotonic() + 10
    while not (files := list(file.parent.glob(f"{file.name}.*"))) or not files[0].read_text().endswith("]"):
        assert time.monotonic() < deadline, "no trace was written"
        time.sleep(0.05)
    entries: list[dict[str, Any]] = json.loads(files[0].read_text())
    return entries
