"""What the liveness probe makes of a real Triton that can diagnose nothing: would a restart mend it?"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from tritonclient.grpc import InferenceServerClient

from stack.probe import ProbeError, probe
from tests.conftest import running_triton
from tests.integration.serving.conftest import Control, stubs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import RunningTriton

PATIENCE_SECONDS = 20.0


@pytest.fixture(scope="module")
def harmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    with running_triton(tmp_path_factory.mktemp("triton")) as running:
        yield running


def is_alive(triton: RunningTriton) -> bool:
    return answers(triton, triton.model_repository)


def is_ready(triton: RunningTriton) -> bool:
    return answers(triton, None)


def answers(triton: RunningTriton, alive_in: Path | None) -> bool:
    try:
        probe(triton.http, PATIENCE_SECONDS, alive_in=alive_in)
    except ProbeError:
        return False
    return True


def write_again(registry: Path) -> None:
    """The same content: `diagnose` reads its releases anew."""
    fresh = registry.with_suffix(".new")
    fresh.write_text(registry.read_text())
    fresh.replace(registry)


def test_a_broken_release_is_alive_and_ready_again_once_it_is_mended(harmed: RunningTriton) -> None:
    calibration = harmed.model_repository / "classifier" / "1" / "calibration.json"
    before = calibration.read_text()
    calibration.write_text("{")
    write_again(harmed.model_repository / "releases.json")
    assert is_alive(harmed)
    assert not is_ready(harmed)
    calibration.write_text(before)
    write_again(harmed.model_repository / "releases.json")
    assert is_ready(harmed)


def test_a_release_that_is_not_loaded_is_alive(harmed: RunningTriton) -> None:
    with InferenceServerClient(harmed.grpc) as client:
        client.register_plugin(Control(harmed.addresses.grpc_control))
        client.unload_model("classifier")
        while client.is_model_ready("classifier"):
            pass
        assert not is_ready(harmed)
        assert is_alive(harmed)
        client.load_model("classifier")
    assert is_ready(harmed)


def test_a_classifier_whose_processes_have_died_is_dead_though_triton_calls_it_ready(harmed: RunningTriton) -> None:
    assert is_alive(harmed)
    for stub in stubs(harmed, harmed.model_repository / "classifier" / "1"):
        os.kill(stub, signal.SIGKILL)
    with InferenceServerClient(harmed.grpc) as client:
        assert client.is_model_ready("classifier")
    assert not is_alive(harmed)
    os.kill(harmed.process_id, signal.SIGKILL)  # or it would take its time to end
