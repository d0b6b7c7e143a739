"""The model's answer for the readable photos → the diagnosis of the whole request."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from frond.types import Diagnosis
from gateway.errors import ModelAnswerError, UnreadableImagesError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frond.types import Error
    from gateway.diagnoses.protocols import ModelAnswer, Order

ANY_SHA256 = "0" * 64


def assemble(order: Order, faults: Sequence[Error | None], answer: ModelAnswer) -> Diagnosis:
    """`faults`: of each photo of the order what kept it from the model; the model answers for the others, in order.

    Raises `UnreadableImagesError` when no photo could be read, `ModelAnswerError` for what is not the contract.
    """
    diagnosis = diagnosis_of(answer, [photo.sha256 for photo in order.photos], faults, order.received_at)
    refuse_if_unreadable([image.error for image in diagnosis.images])
    return diagnosis


def check(answer: ModelAnswer, count: int) -> Diagnosis:
    """The answer for so many readable photos, whichever they are. Raises `ModelAnswerError` as `assemble` would."""
    return diagnosis_of(answer, [ANY_SHA256] * count, [None] * count, time.monotonic())


def diagnosis_of(
    answer: ModelAnswer, sha256s: Sequence[str], faults: Sequence[Error | None], received_at: float
) -> Diagnosis:
    try:
        content = json.loads(answer.content)
        content["images"] = images_of(sha256s, faults, content["images"])
        content["degraded"] = answer.degraded
        content["timingMs"] = timing(received_at, answer, content["timingMs"])
        return Diagnosis.model_validate(content)
    except (ValidationError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise ModelAnswerError("The model gave no answer of the agreed form.") from error


def images_of(sha256s: Sequence[str], faults: Sequence[Error | None], from_model: list[Any]) -> list[dict[str, Any]]:
    if len(from_model) != faults.count(None):
        raise ValueError(f"{len(from_model)} images for {faults.count(None)} photos")
    answers = iter(from_model)
    return [
        {"sha256": sha256, **(next(answers) if fault is None else {"predictions": [], "error": fault})}
        for sha256, fault in zip(sha256s, faults, strict=True)
    ]


def refuse_if_unreadable(faults: Sequence[Error | None]) -> None:
    """All photos failing is a failed request, with the first one's code."""
    if (first := faults[0]) is not None and None not in faults:
        message = first.message if len(faults) == 1 else f"No photo can be read. The first one: {first.message}"
        raise UnreadableImagesError(message, first.code)


def timing(received_at: float, answer: ModelAnswer, by_model: dict[str, float]) -> dict[str, float]:
    """Milliseconds; what the call took beyond decoding and inferring was waiting."""
    call = answer.seconds * 1000
    stages = {
        "queue": max(0.0, call - by_model["decode"] - by_model["infer"]),
        "decode": by_model["decode"],
        "infer": by_model["infer"],
        "total": (time.monotonic() - received_at) * 1000,
    }
    return {stage: round(milliseconds, 3) for stage, milliseconds in stages.items()}
