"""EfficientNet-B4 and ResNet-50 brought as ONNX files: served by a real Triton, promoted and rolled back under load."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image
from tritonclient.grpc import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException

from preprocess.tensor import Preprocessing, to_tensor
from training.importer import lifecycle, registry
from training.importer.errors import ServerError
from training.importer.release import Candidate
from training.importer.server import Server
from training.importer.wrapping import IMAGENET
from training.reference_networks import NETWORKS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.conftest import RunningTriton

SIZES = {"efficientnet-b4": 380, "resnet-50": 224}
CLASSES = 29
SWITCH_SECONDS = 30  # an answer takes 0.2 s; the limit is for a machine that is busy with something else


def photo(seed: int) -> bytes:
    """A JPEG of coloured clouds."""
    clouds = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(clouds).resize((640, 480), Image.Resampling.BICUBIC).save(encoded, "JPEG", quality=90)
    return encoded.getvalue()


def diagnose(client: InferenceServerClient, content: bytes, **options: Any) -> dict[str, Any]:
    images = InferInput("IMAGES", [1, 1], "BYTES")
    images.set_data_from_numpy(np.array([[content]], dtype=np.object_))
    answer = client.infer("diagnose", [images], parameters=options, client_timeout=60)
    diagnosis: dict[str, Any] = json.loads(answer.as_numpy("DIAGNOSIS")[0, 0])
    return diagnosis


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Candidate]:
    """Both networks as files, float32 NCHW with normalisation outside, as people's exports come."""
    folder = tmp_path_factory.mktemp("networks")
    labels = folder / "labels.txt"
    labels.write_text("".join(f"Crop___condition_{index}\n" for index in range(CLASSES)))
    for name, build in NETWORKS.items():
        onnx.save(build(CLASSES, 0), folder / f"{name}.onnx")
    return {name: Candidate(folder / f"{name}.onnx", labels, Preprocessing(SIZES[name])) for name in NETWORKS}


def expected_probabilities(candidate: Candidate, content: bytes) -> NDArray[np.float64]:
    """The file as it was brought, run by hand on the photo."""
    tensor = IMAGENET(to_tensor(content, candidate.preprocessing)[None]).transpose(0, 3, 1, 2)
    session = onnxruntime.InferenceSession(candidate.file, providers=["CPUExecutionProvider"])
    logits = session.run(None, {"input": np.ascontiguousarray(tensor)})[0][0].astype(np.float64)
    exponentials = np.exp(logits - logits.max())
    probabilities: NDArray[np.float64] = exponentials / exponentials.sum()
    return probabilities


@dataclass
class Load:
    """Clients that ask for diagnoses without a pause until told to stop."""

    address: str
    clients: int = 3
    versions: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._ask, args=(seed,)) for seed in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, seed: int) -> None:
        content = photo(seed)
        with InferenceServerClient(self.address) as client:
            while not self._stopped.is_set():
                try:
                    self.versions.append(diagnose(client, content)["model"]["version"])
                except InferenceServerException as error:
                    self.failures.append(str(error))

    def wait_for(self, version: str, answers: int = 5) -> None:
        """Until that many answers in a row came from a release."""
        deadline = time.monotonic() + SWITCH_SECONDS
        while set(self.versions[-answers:]) != {version} or len(self.versions) < answers:
            assert time.monotonic() < deadline, f"no answers from {version}: {self.versions[-answers:]} {self.failures}"
            time.sleep(0.05)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_answers_through_diagnose_as_its_own_file_does(
    name: str,
    candidates: dict[str, Candidate],
    repository: Path,
    server: Server,
    client: InferenceServerClient,
) -> None:
    version = lifecycle.add(repository, candidates[name], server=server)
    answer = diagnose(client, photo(1), version=version, top_k=CLASSES)
    assert answer["model"]["version"] == version
    expected = expected_probabilities(candidates[name], photo(1))
    for prediction in answer["predictions"]:
        index = int(prediction["condition"].removeprefix("condition "))
        assert prediction["confidence"] == pytest.approx(expected[index], abs=1e-3)
    assert diagnose(client, photo(1))["model"]["version"] == "1"


def test_traffic_moves_between_releases_without_a_failed_request(
    candidates: dict[str, Candidate], repository: Path, server: Server, triton: RunningTriton
) -> None:
    with Load(triton.grpc) as load:
        load.wait_for("1")
        large = lifecycle.add(repository, candidates["efficientnet-b4"], server=server)
        small = lifecycle.add(repository, candidates["resnet-50"], server=server)
        load.wait_for("1")
        for version in (large, small):
            assert lifecycle.promote(repository, version, server)
            load.wait_for(version)
        assert lifecycle.roll_back(repository, server) == large
        load.wait_for(large)
        assert lifecycle.promote(repository, "1", server)
        load.wait_for("1")
        lifecycle.remove(repository, small, server)
        load.wait_for("1")
    assert load.failures == []
    assert {*load.versions} == {"1", large, small}


def test_a_release_that_triton_cannot_load_is_taken_back_with_tritons_reason(
    candidates: dict[str, Candidate], repository: Path, server: Server, client: InferenceServerClient
) -> None:
    def spoil(folder: Path) -> None:
        (folder / "model.onnx").write_bytes(b"spoilt on the way")

    with pytest.raises(ServerError, match="did not load classifier_spoilt") as caught:
        lifecycle.add(repository, candidates["resnet-50"], version="spoilt", calibrate=spoil, server=server)
    assert "\n" not in str(caught.value)
    assert not (repository / "classifier_spoilt").exists()
    assert "spoilt" not in registry.read(repository).releases
    assert not client.is_model_ready("classifier_spoilt")
    assert diagnose(client, photo(1))["model"]["version"] == "1"


class Killer(Server):
    """Loads the release, and then the command is killed."""

    def load(self, model: str) -> None:
        super().load(model)
        os.kill(os.getpid(), signal.SIGKILL)


def add_and_die(repository: Path, candidate: Candidate, address: str, control: dict[str, str]) -> None:
    lifecycle.add(repository, candidate, version="killed", server=Killer(address, control))


def test_an_addition_killed_after_loading_is_cleared_away_by_the_next(
    candidates: dict[str, Candidate], repository: Path, server: Server, triton: RunningTriton
) -> None:
    candidate = candidates["resnet-50"]
    process = multiprocessing.get_context("spawn").Process(
        target=add_and_die, args=(repository, candidate, triton.grpc, triton.addresses.grpc_control)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert server.is_ready("classifier_killed")
    server.load("classifier_killed")  # it is whole: Triton would take it at a start as well
    version = lifecycle.add(repository, candidate, server=server)
    assert not server.is_ready("classifier_killed")
    assert not (repository / "classifier_killed").exists()
    assert server.is_ready(f"classifier_{version}")
