"""Two releases in a model repository: the shipped one and, made of it, a worse one."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

NO_ABSTENTION = {
    "backgroundLabel": None,
    "leafLogOddsThreshold": None,
    "leafEnergyThreshold": None,
    "minConfidence": 0.0,
}
FAILING, CAUTIOUS = "failing", "cautious"


def models_with(kind: str, repository: Path) -> None:
    """Release 1 never abstains; release 2 cannot be asked, or always abstains."""
    calibrate(repository / "classifier", "1", **NO_ABSTENTION)
    ignored = shutil.ignore_patterns("model.onnx") if kind == FAILING else None  # which Triton then cannot load
    shutil.copytree(repository / "classifier", repository / "classifier_2", ignore=ignored)
    calibrate(repository / "classifier_2", "2", **NO_ABSTENTION | {"minConfidence": 1.0})
    registry = {"active": "1", "previous": None, "releases": {"1": "classifier", "2": "classifier_2"}}
    (repository / "releases.json").write_text(json.dumps(registry))


def calibrate(model: Path, version: str, **abstention: Any) -> None:
    path = model / "1" / "calibration.json"
    content = json.loads(path.read_text())
    content |= {"version": version, "abstention": content["abstention"] | abstention}
    path.write_text(json.dumps(content))
