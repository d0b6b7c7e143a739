"""One ONNX file and its labels → the contents of a release's folder, with nothing calibrated yet."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from onnx import TensorProto

from training.importer.config import CONFIGS, derive_config
from training.importer.errors import InvalidLabelsError, InvalidOptionError
from training.importer.labels import read_labels
from training.importer.proof import prove
from training.importer.repository import SHIPPED, SOURCE, Draft
from training.importer.signature import read_signature
from training.importer.source import read_model
from training.importer.wrapping import IMAGENET, Normalisation, wrap

if TYPE_CHECKING:
    from pathlib import Path

    from preprocess.release import Label
    from preprocess.tensor import Preprocessing

PLANTVILLAGE_BACKGROUND = "Background_without_leaves"


@dataclass(frozen=True, slots=True)
class Candidate:
    """What somebody brings. `normalisation`: None for ImageNet's, or for a graph that normalises itself.

    `output`: the output with the logits, where there are several. `background`: the label of photos without a leaf.
    """

    file: Path
    labels: Path
    preprocessing: Preprocessing
    normalisation: Normalisation | None = None
    output: str | None = None
    background: str | None = None


def build(candidate: Candidate, draft: Draft) -> tuple[str, ...]:
    """Check, wrap and write a candidate into the draft's folder; returns what was changed in the graph, in words.

    Raises `InvalidModelError`, `InvalidLabelsError` or `InvalidOptionError`.
    """
    size = candidate.preprocessing.size
    labels = read_labels(candidate.labels)
    background = _background(candidate, labels)
    original = read_model(candidate.file)
    signature = read_signature(original, size, candidate.output)
    if signature.input_type == TensorProto.UINT8 and candidate.normalisation is not None:
        raise InvalidOptionError("The model takes uint8 and so normalises by itself: leave the normalisation out.")
    normalisation = candidate.normalisation or IMAGENET
    wrapped = wrap(original, signature, size, normalisation)
    classes = prove(original, wrapped, signature, size, normalisation)
    if classes != len(labels):
        raise InvalidLabelsError(
            f"The model has {classes} classes, but {candidate.labels.name} has {len(labels)} labels."
        )
    contents = draft.contents
    graph = wrapped.model.SerializeToString()
    (contents / "model.onnx").write_bytes(graph)
    _write_json(contents / "labels.json", [asdict(label) for label in labels])
    _write_json(contents / "preprocess.json", _preprocess_json(candidate.preprocessing))
    _write_json(contents / "calibration.json", _uncalibrated_json(draft.version, background))
    _write_json(contents / SOURCE, _source_json(candidate, wrapped.changes, classes))
    _write_configs(draft, size, classes, graph)
    return wrapped.changes


def _background(candidate: Candidate, labels: tuple[Label, ...]) -> str | None:
    names = [label.label for label in labels]
    if candidate.background is None:
        return PLANTVILLAGE_BACKGROUND if PLANTVILLAGE_BACKGROUND in names else None
    if candidate.background not in names:
        raise InvalidOptionError(f"--background {candidate.background!r} is no label of {candidate.labels.name}.")
    return candidate.background


def _write_configs(draft: Draft, size: int, classes: int, graph: bytes) -> None:
    for name in CONFIGS:
        shipped = draft.repository / SHIPPED / name
        target = draft.folder / name
        target.parent.mkdir(exist_ok=True)
        text = derive_config(shipped.read_text(encoding="utf-8"), size, classes, graph)
        target.write_text(text, encoding="utf-8")


def _preprocess_json(preprocessing: Preprocessing) -> dict[str, Any]:
    return {
        "size": preprocessing.size,
        "cropFraction": preprocessing.crop_fraction,
        "interpolation": preprocessing.interpolation,
    }


def _uncalibrated_json(version: str, background: str | None) -> dict[str, Any]:
    """Temperature 1 and nothing withheld but the background's own label: nobody has measured more."""
    thresholds = {"leafLogOddsThreshold": None, "leafEnergyThreshold": None, "minConfidence": 0.0}
    abstention = {"backgroundLabel": background, **thresholds}
    return {"version": version, "temperature": 1.0, "calibrationError": None, "abstention": abstention}


def _source_json(candidate: Candidate, changes: tuple[str, ...], classes: int) -> dict[str, Any]:
    with candidate.file.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "file": candidate.file.name,
        "sha256": digest,
        "added": datetime.now(UTC).isoformat(timespec="seconds"),
        "classes": classes,
        "changes": list(changes),
    }


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
