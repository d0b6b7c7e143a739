"""A small release for tests, as objects and as the files of its folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from preprocess.release import Abstention, Calibration, Label, Release
from preprocess.tensor import Preprocessing

if TYPE_CHECKING:
    from pathlib import Path

BACKGROUND = "Background"
LABELS = (
    Label("Tomato___Late_blight", "Tomato", "Late blight", healthy=False),
    Label("Tomato___healthy", "Tomato", "Healthy", healthy=True),
    Label(BACKGROUND, "Background", "No leaf", healthy=False),
    Label("Apple___Black_rot", "Apple", "Black rot", healthy=False),
)


def release(
    *,
    temperature: float = 1,
    log_odds: float | None = None,
    energy: float | None = None,
    min_confidence: float = 0,
    background: str | None = BACKGROUND,
) -> Release:
    abstention = Abstention(background, log_odds, energy, min_confidence)
    return Release("7", LABELS, Preprocessing(224), Calibration("7", temperature, 0.011, abstention))


def files() -> dict[str, Any]:
    """What `release()` looks like in its folder, by file name."""
    return {
        "labels.json": [
            {"label": label.label, "crop": label.crop, "condition": label.condition, "healthy": label.healthy}
            for label in LABELS
        ],
        "preprocess.json": {"size": 224, "cropFraction": 1.0, "interpolation": "bicubic"},
        "calibration.json": {
            "version": "7",
            "temperature": 1.0,
            "calibrationError": 0.011,
            "abstention": {
                "backgroundLabel": BACKGROUND,
                "leafLogOddsThreshold": None,
                "leafEnergyThreshold": None,
                "minConfidence": 0.0,
            },
        },
    }


def write(folder: Path, contents: dict[str, Any]) -> Path:
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder
