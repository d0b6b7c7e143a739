"""What a target has to answer before it is timed: a benchmark of a server that answers something else is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

import onnxruntime as ort

from preprocess import diagnosis
from preprocess.release import read_release
from preprocess.tensor import to_tensor
from stack.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

RELEASE = ROOT / "model_repository" / "classifier" / "1"
TOP_K = 5
# Between a photo that is decoded at a fraction of its size and one that is decoded whole: 0.01 at 12 MP, and more is a
# bug in what was fed to the model.
TOLERANCE = 0.05

Answer: TypeAlias = list[tuple[str, float]]
"""Labels with their probabilities, the most probable first."""


class WrongAnswerError(Exception):
    """A target that does not answer what the model says; it is not measured."""


def reference(photo: bytes) -> Answer:
    """By Frond's own preprocessing and the shipped graph as it is, without any server."""
    return of_session(ort.InferenceSession(RELEASE / "model.onnx"), photo)


def of_session(session: Any, photo: bytes) -> Answer:
    """What ONNX Runtime's session says to a photo, preprocessed and calibrated as the release wants it."""
    release = read_release(RELEASE)
    (logits,) = session.run(["LOGITS"], {"IMAGE": to_tensor(photo, release.preprocessing)[None]})
    return of_predictions(diagnosis.diagnose(release, [logits[0]], TOP_K)["predictions"])


def of_predictions(predictions: Sequence[dict[str, Any]]) -> Answer:
    return [(prediction["label"], prediction["confidence"]) for prediction in predictions]


def of_json(body: bytes) -> Answer:
    """As the peers give it: the list alone."""
    return of_predictions(json.loads(body))


def check(target: str, size: str, answer: Answer, expected: Answer) -> None:
    """Raises `WrongAnswerError`: another first label, another probability of it, or not five labels in their order."""
    confidences = [confidence for _, confidence in answer]
    if len(answer) != TOP_K or confidences != sorted(confidences, reverse=True):
        raise WrongAnswerError(f"{target} answers {answer} to the photo of {size}: not the {TOP_K} first labels.")
    (label, confidence), (right, right_confidence) = answer[0], expected[0]
    if label != right or abs(confidence - right_confidence) > TOLERANCE:
        raise WrongAnswerError(
            f"{target} answers {label} ({confidence:.3f}) to the photo of {size};"
            f" right is {right} ({right_confidence:.3f})."
        )
