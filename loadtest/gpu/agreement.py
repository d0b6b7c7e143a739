"""Are the served answers those of ONNX Runtime on the CPU? The same label first, probabilities within a hundredth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from tritonclient.grpc import InferInput

from loadtest.gpu import photos
from loadtest.gpu.configuration import DIAGNOSE
from preprocess.diagnosis import diagnose
from preprocess.probability import log_probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loadtest.gpu.networks import Network

TOLERANCE = 1e-2
MAX_TOP_K = 100
# Sizes in which the photos go to the classifier: another batch runs other kernels, and TensorRT another tactic.
BATCHES = (1, 3, 8, 64)


@dataclass(frozen=True, slots=True)
class Agreement:
    """`difference`: the largest of any probability. `margin`: the smallest between the CPU's first two labels."""

    compared: int
    other_label: int
    difference: float
    margin: float

    @property
    def holds(self) -> bool:
        return self.compared > 0 and self.other_label == 0 and self.difference <= TOLERANCE


def compare(expected: NDArray[Any], found: NDArray[Any]) -> Agreement:
    """Probabilities [n, classes] of both; a NaN never agrees."""
    if expected.shape != found.shape:
        raise ValueError(f"The answers have the shapes {expected.shape} and {found.shape}.")
    difference = np.abs(expected - found).max() if np.isfinite(found).all() else np.inf
    first_two = np.sort(expected, axis=1)[:, -2:]
    other = int((expected.argmax(axis=1) != found.argmax(axis=1)).sum())
    return Agreement(len(expected), other, float(difference), float((first_two[:, 1] - first_two[:, 0]).min()))


def of_tensors(client: Any, network: Network, jpegs: list[bytes], logits: NDArray[np.float32]) -> Agreement:
    """The classifier itself, in several sizes of batch; `logits`: the CPU's, [n, classes]."""
    release = network.release()
    images, temperature = photos.tensors(jpegs, release.preprocessing), release.calibration.temperature
    places = np.concatenate([np.arange(size) % len(images) for size in BATCHES])
    batches = np.split(images[places], np.cumsum(BATCHES)[:-1])
    found = np.concatenate([_classify(client, network.model, batch) for batch in batches])
    expected = np.exp(log_probabilities(logits, temperature))
    return compare(expected[places], np.exp(log_probabilities(found, temperature)))


def of_photos(client: Any, network: Network, jpegs: list[bytes], logits: NDArray[np.float32]) -> Agreement:
    """The whole way: photos to `diagnose`, one at a time, against the diagnosis that follows from the CPU's logits."""
    release = network.release()
    expected = [diagnose(release, [row], MAX_TOP_K) for row in logits]
    found = [_diagnose(client, network.version, jpeg) for jpeg in jpegs]
    labels = [label.label for label in release.labels]
    return compare(_probabilities(expected, labels), _probabilities(found, labels))


def _probabilities(diagnoses: list[dict[str, Any]], labels: list[str]) -> NDArray[np.float64]:
    by_label = [{p["label"]: p["confidence"] for p in diagnosis["predictions"]} for diagnosis in diagnoses]
    return np.array([[found[label] for label in labels] for found in by_label])


def _classify(client: Any, model: str, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    wanted = InferInput("IMAGE", list(images.shape), "UINT8")
    wanted.set_data_from_numpy(images)
    logits: NDArray[np.float32] = client.infer(model, [wanted]).as_numpy("LOGITS")
    return logits


def _diagnose(client: Any, version: str, jpeg: bytes) -> dict[str, Any]:
    wanted = InferInput("IMAGES", [1, 1], "BYTES")
    wanted.set_data_from_numpy(np.array([[jpeg]], dtype=np.object_))
    answer = client.infer(DIAGNOSE, [wanted], parameters={"version": version, "top_k": MAX_TOP_K})
    diagnosis: dict[str, Any] = json.loads(answer.as_numpy("DIAGNOSIS")[0, 0])
    return diagnosis
