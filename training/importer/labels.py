"""A labels file → the classes of a model in the order of its logits."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from preprocess.release import Label
from training.importer.errors import InvalidLabelsError

if TYPE_CHECKING:
    from pathlib import Path

SEPARATOR = "___"  # as PlantVillage writes Crop___condition
UNSPECIFIED_CROP = "Unspecified"
FIELDS = tuple(field.name for field in fields(Label))


def read_labels(path: Path) -> tuple[Label, ...]:
    """Read a text file with one label a line, or a JSON list of labels or of objects as in `labels.json`.

    Raises `InvalidLabelsError` for a file that is none of these, names a label twice, or has fewer than two.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidLabelsError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidLabelsError(f"{path.name} is no text in UTF-8.") from error
    labels = _from_json(path.name, text) if text.lstrip().startswith(("[", "{")) else _from_lines(path.name, text)
    names = [label.label for label in labels]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidLabelsError(f"{path.name} has {twice[0]!r} more than once; every class needs a label of its own.")
    if len(labels) < 2:
        raise InvalidLabelsError(f"{path.name} has {len(labels)} labels; a classifier has at least two.")
    return labels


def split_label(name: str) -> Label:
    """`Tomato___Late_blight` → crop Tomato, condition Late blight; a name without a crop is a condition."""
    crop, separator, condition = name.partition(SEPARATOR)
    if not separator:
        crop, condition = UNSPECIFIED_CROP, name
    crop, condition = (part.replace("_", " ").strip() for part in (crop, condition))
    if not crop or not condition:
        raise InvalidLabelsError(
            f"The label {name!r} has no text on one side of {SEPARATOR}; expected Crop___condition."
        )
    is_healthy = condition.lower() == "healthy"
    return Label(name, crop, "Healthy" if is_healthy else condition, is_healthy)


def _from_lines(name: str, text: str) -> tuple[Label, ...]:
    lines = text.rstrip().splitlines()
    if empty := [str(number) for number, line in enumerate(lines, 1) if not line.strip()]:
        raise InvalidLabelsError(f"{name} has no label in line {', '.join(empty)}; expected one a line.")
    return tuple(split_label(line.strip()) for line in lines)


def _from_json(name: str, text: str) -> tuple[Label, ...]:
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise InvalidLabelsError(f"{name} is damaged JSON: {error}.") from error
    if not isinstance(entries, list):
        raise InvalidLabelsError(f"{name} is no JSON list; expected a list of labels in the order of the logits.")
    return tuple(_from_entry(f"Label {index} of {name}", entry) for index, entry in enumerate(entries))


def _from_entry(where: str, entry: Any) -> Label:
    if isinstance(entry, str) and entry.strip():
        return split_label(entry.strip())
    if not isinstance(entry, dict) or set(entry) != set(FIELDS):
        raise InvalidLabelsError(f"{where} is {entry!r}; expected a text or an object with {', '.join(FIELDS)}.")
    texts = [entry[name] for name in FIELDS if name != "healthy"]
    if not all(isinstance(text, str) and text.strip() for text in texts) or not isinstance(entry["healthy"], bool):
        raise InvalidLabelsError(f"{where} needs texts that are not empty, and true or false for healthy.")
    return Label(**entry)
