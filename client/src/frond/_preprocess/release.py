"""A release of the classifier as data: labels, preprocessing, calibration and abstention, read from its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from frond._preprocess.tensor import Preprocessing

if TYPE_CHECKING:
    from pathlib import Path

# Outside of these a fit has gone wrong: at 0.01 every softmax is one-hot, at 100 every one is flat.
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.01, 100
MAX_ENERGY = 1e6  # logits are tens; anything above is a slip


class ReleaseError(Exception):
    """A release folder that cannot be served; the message names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Label:
    """One class of the model: its name, and what that says of the plant."""

    label: str
    crop: str
    condition: str
    healthy: bool


@dataclass(frozen=True, slots=True)
class Abstention:
    """When an answer names no diagnosis to act on.

    `background_label`: the label of photos without a leaf, if the model has one. `leaf_log_odds_threshold`: the lowest
    `leaf_log_odds` of a leaf. `leaf_energy_threshold`: the lowest `leaf_energy` of a leaf like those the model knows.
    `min_confidence`: the lowest calibrated probability worth acting on. A threshold that is None is not used.
    """

    background_label: str | None
    leaf_log_odds_threshold: float | None
    leaf_energy_threshold: float | None
    min_confidence: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted on held-out photos; `calibration_error` is the expected calibration error, None: not measured."""

    version: str
    temperature: float
    calibration_error: float | None
    abstention: Abstention


@dataclass(frozen=True, slots=True)
class Release:
    """All that a model needs beside its graph; `labels` are in the order of the logits."""

    version: str
    labels: tuple[Label, ...]
    preprocessing: Preprocessing
    calibration: Calibration

    @property
    def background(self) -> int | None:
        """The index of the background label."""
        wanted = self.calibration.abstention.background_label
        return next((index for index, label in enumerate(self.labels) if label.label == wanted), None)


def read_release(folder: Path) -> Release:
    """Read `labels.json`, `preprocess.json` and `calibration.json`; raises `ReleaseError` on anything wrong."""
    labels = _read_labels(folder / "labels.json")
    preprocessing = _read_preprocessing(folder / "preprocess.json")
    calibration = _read_calibration(folder / "calibration.json")
    release = Release(calibration.version, labels, preprocessing, calibration)
    abstention = calibration.abstention
    if abstention.leaf_log_odds_threshold is not None and abstention.background_label is None:
        raise ReleaseError(f"{folder / 'calibration.json'}: leafLogOddsThreshold needs a backgroundLabel")
    if abstention.background_label is not None and release.background is None:
        raise ReleaseError(
            f"{folder / 'calibration.json'}: backgroundLabel {abstention.background_label!r} is no label"
        )
    return release


def _read_labels(path: Path) -> tuple[Label, ...]:
    entries = _read_json(path)
    if not isinstance(entries, list) or len(entries) < 2:
        raise ReleaseError(f"{path}: must be a list of at least two labels")
    labels = tuple(_label(entry, f"{path}: label {index}") for index, entry in enumerate(entries))
    if len({label.label for label in labels}) < len(labels):
        raise ReleaseError(f"{path}: a label stands there twice")
    return labels


def _label(entry: Any, where: str) -> Label:
    fields = _object(entry, ("label", "crop", "condition", "healthy"), where)
    if not isinstance(fields["healthy"], bool):
        raise ReleaseError(f"{where}: healthy is {fields['healthy']!r}; it must be true or false")
    return Label(
        label=_text(fields["label"], f"{where}: label"),
        crop=_text(fields["crop"], f"{where}: crop"),
        condition=_text(fields["condition"], f"{where}: condition"),
        healthy=fields["healthy"],
    )


def _read_preprocessing(path: Path) -> Preprocessing:
    fields = _object(_read_json(path), ("size", "cropFraction", "interpolation"), str(path))
    if not isinstance(fields["size"], int) or isinstance(fields["size"], bool):
        raise ReleaseError(f"{path}: size is {fields['size']!r}; it must be a whole number")
    crop_fraction = _number(fields["cropFraction"], 0, 1, f"{path}: cropFraction")
    try:
        return Preprocessing(fields["size"], crop_fraction, fields["interpolation"])
    except (TypeError, ValueError) as error:
        raise ReleaseError(f"{path}: {error}") from error


def _read_calibration(path: Path) -> Calibration:
    fields = _object(_read_json(path), ("version", "temperature", "calibrationError", "abstention"), str(path))
    error = fields["calibrationError"]
    return Calibration(
        version=_text(fields["version"], f"{path}: version"),
        temperature=_number(fields["temperature"], MIN_TEMPERATURE, MAX_TEMPERATURE, f"{path}: temperature"),
        calibration_error=None if error is None else _number(error, 0, 1, f"{path}: calibrationError"),
        abstention=_abstention(fields["abstention"], f"{path}: abstention"),
    )


def _abstention(entry: Any, where: str) -> Abstention:
    keys = ("backgroundLabel", "leafLogOddsThreshold", "leafEnergyThreshold", "minConfidence")
    fields = _object(entry, keys, where)
    background = fields["backgroundLabel"]
    return Abstention(
        background_label=None if background is None else _text(background, f"{where}: backgroundLabel"),
        leaf_log_odds_threshold=_threshold(fields["leafLogOddsThreshold"], f"{where}: leafLogOddsThreshold"),
        leaf_energy_threshold=_threshold(fields["leafEnergyThreshold"], f"{where}: leafEnergyThreshold"),
        min_confidence=_number(fields["minConfidence"], 0, 1, f"{where}: minConfidence"),
    )


def _threshold(value: Any, where: str) -> float | None:
    return None if value is None else _number(value, -MAX_ENERGY, MAX_ENERGY, where)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReleaseError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, or brackets without end
        raise ReleaseError(f"{path}: is no JSON: {error}") from error


def _object(value: Any, keys: tuple[str, ...], where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(keys):
        raise ReleaseError(f"{where}: must be an object with exactly the fields {', '.join(keys)}")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ReleaseError(f"{where} is {value!r}; it must be a text that is not empty")
    return value


def _number(value: Any, low: float, high: float, where: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:  # which NaN is not
        raise ReleaseError(f"{where} is {value!r}; it must be a number between {low} and {high}")
    return float(value)
