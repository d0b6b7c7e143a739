"""Logits of the photos of one assessment → its diagnosis in the shape of the wire contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from frond._preprocess.errors import ImageError
from frond._preprocess.probability import Logits, aggregate, leaf_energy, leaf_log_odds, log_probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from frond._preprocess.release import Release

MODEL_NAME = "classifier"
NOT_A_LEAF = "not_a_leaf"
LOW_CONFIDENCE = "low_confidence"


class LogitsError(Exception):
    """The model answered with no set of logits for the release's labels: its fault, not the photo's."""


@dataclass(frozen=True, slots=True)
class _Opinion:
    """What one photo says: log-probabilities [C], whether it shows a leaf, and one like those the model knows."""

    log_probabilities: NDArray[np.float64]
    is_leaf: bool
    is_familiar: bool


def diagnose(release: Release, logits_by_photo: Sequence[Logits | ImageError], top_k: int) -> dict[str, Any]:
    """Diagnose one assessment: for each photo its logits [C], or why it could not be read.

    Answers `frond.types.Diagnosis` as a dict, less what only the caller knows: `timingMs`, and `sha256` of the photos.
    A photo without a leaf counts only where no photo has one. When no photo could be read there are no predictions.
    Raises `LogitsError` for logits of a wrong shape or that are not finite.
    """
    if top_k < 1:
        raise ValueError(f"top_k is {top_k}; it must be at least 1")
    opinions = [item if isinstance(item, ImageError) else _opinion(release, item) for item in logits_by_photo]
    readable = [opinion for opinion in opinions if isinstance(opinion, _Opinion)]
    calibration = release.calibration
    return {
        **_whole(release, readable, top_k),
        "images": [_photo(release, opinion, top_k) for opinion in opinions],
        "model": {
            "name": MODEL_NAME,
            "version": release.version,
            "temperature": calibration.temperature,
            "calibrationError": calibration.calibration_error,
        },
    }


def _opinion(release: Release, logits: Logits) -> _Opinion:
    if logits.shape != (len(release.labels),):
        raise LogitsError(f"The logits have shape {logits.shape}; the release has {len(release.labels)} labels.")
    if not np.isfinite(logits).all():
        raise LogitsError("The logits are not finite.")
    calibrated = log_probabilities(logits, release.calibration.temperature)
    return _Opinion(calibrated, _is_leaf(release, logits), _is_familiar(release, logits))


def _is_leaf(release: Release, logits: Logits) -> bool:
    lowest, background = release.calibration.abstention.leaf_log_odds_threshold, release.background
    if background is None:
        return True
    if int(logits.argmax()) == background:
        return False
    return lowest is None or bool(leaf_log_odds(logits, background) >= lowest)


def _is_familiar(release: Release, logits: Logits) -> bool:
    lowest = release.calibration.abstention.leaf_energy_threshold
    return lowest is None or bool(leaf_energy(logits, release.background) >= lowest)


def _whole(release: Release, readable: list[_Opinion], top_k: int) -> dict[str, Any]:
    if not readable:
        return {"predictions": [], "abstained": False, "abstainReason": None}
    leaves = [opinion for opinion in readable if opinion.is_leaf]
    probabilities = aggregate(np.stack([opinion.log_probabilities for opinion in leaves or readable]))
    # Leaves that agree on nothing but their second choice, the background, are no leaf together.
    is_leaf = bool(leaves) and int(probabilities.argmax()) != release.background
    is_familiar = any(opinion.is_familiar for opinion in leaves)
    return _answer(release, probabilities, top_k, is_leaf=is_leaf, is_familiar=is_familiar)


def _photo(release: Release, opinion: _Opinion | ImageError, top_k: int) -> dict[str, Any]:
    if isinstance(opinion, _Opinion):
        probabilities = np.exp(opinion.log_probabilities)
        answer = _answer(release, probabilities, top_k, is_leaf=opinion.is_leaf, is_familiar=opinion.is_familiar)
        return {**answer, "error": None}
    error = {
        "category": "validation",
        "code": opinion.code,
        "message": str(opinion),
        "retryable": False,
        "retryAfterMs": None,
    }
    return {"predictions": [], "abstained": False, "abstainReason": None, "error": error}


def _answer(
    release: Release, probabilities: NDArray[np.float64], top_k: int, *, is_leaf: bool, is_familiar: bool
) -> dict[str, Any]:
    reason = None
    if not is_leaf:
        reason = NOT_A_LEAF
    elif not is_familiar or probabilities.max() < release.calibration.abstention.min_confidence:
        reason = LOW_CONFIDENCE
    return {
        "predictions": _predictions(release, probabilities, top_k),
        "abstained": reason is not None,
        "abstainReason": reason,
    }


def _predictions(release: Release, probabilities: NDArray[np.float64], top_k: int) -> list[dict[str, Any]]:
    most_probable_first = np.argsort(-probabilities, kind="stable")[:top_k]
    return [
        {
            "label": release.labels[index].label,
            "crop": release.labels[index].crop,
            "condition": release.labels[index].condition,
            "healthy": release.labels[index].healthy,
            "confidence": float(probabilities[index]),
        }
        for index in most_probable_first.tolist()
    ]
