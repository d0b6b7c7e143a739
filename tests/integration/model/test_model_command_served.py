"""`frond model` against a running Triton: add with calibration, list, promote, roll back, remove."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from typer.testing import CliRunner, Result

from cli.failure import Failure
from cli.model import app
from preprocess.release import read_release

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunningTriton

COLOURS = {"red": (200, 60, 60), "green": (60, 200, 60), "blue": (60, 60, 200)}
SIZE = 32
PHOTOS_A_LABEL = 20


@pytest.fixture
def colour_model(tmp_path: Path) -> Path:
    """Says which of red, green and blue a picture has most of, three times too sure of itself."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["colours"]),
        helper.make_node("Mul", ["colours", "sharpness"], ["output"]),
    ]
    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, SIZE, SIZE])
    logits = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 3])
    sharpness = numpy_helper.from_array(np.array([30], np.float32), "sharpness")
    graph = helper.make_graph(nodes, "colours", [image], [logits], [sharpness])
    opset = helper.make_opsetid("", 17)
    path = tmp_path / "colours.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("\n".join(COLOURS))
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """`<label>/<photo>`: one in ten is of another colour than its folder says."""
    random = np.random.default_rng(2)
    for label in COLOURS:
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for index in range(PHOTOS_A_LABEL):
            shown = random.choice([*COLOURS]) if index % 10 == 0 else label
            pixels = random.normal(COLOURS[shown], 40, (48, 64, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{index}.png")
    return tmp_path / "photos"


def test_a_release_goes_from_file_to_traffic_and_back(
    triton: RunningTriton,
    *,
    repository: Path,
    colour_model: Path,
    labels: Path,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("FROND_TRITON_CONTROL_KEY", triton.addresses.control_key)

    def frond_model(*arguments: object) -> Result:
        place = ["--repository", repository, "--triton", triton.grpc]
        return CliRunner().invoke(app, [str(argument) for argument in (*arguments, *place)])

    described = ("--labels", labels, "--size", SIZE, "--normalisation", "0..1", "--calibrate", photos)
    added = frond_model("add", colour_model, *described, "--version", "colours")
    assert added.exit_code == 0, added.output
    assert "on these photos: accuracy " in added.output
    assert "Release colours is loaded. Send traffic to it: frond model promote colours" in added.output
    release = read_release(repository / "classifier_colours" / "1")
    assert release.calibration.temperature > 1
    assert release.calibration.calibration_error is not None
    assert (repository / "classifier_colours" / "1" / "card.html").exists()

    _, listed = json.loads(frond_model("list", "--json").output)
    assert (listed["version"], listed["role"], listed["ready"]) == ("colours", None, True)
    assert listed["temperature"] == release.calibration.temperature

    assert "Release colours has the traffic now." in frond_model("promote", "colours").output
    assert "Release colours has the traffic already." in frond_model("promote", "colours").output
    assert "active, ready" in frond_model("list").output
    assert "is active" in str(frond_model("remove", "colours").exception)
    assert frond_model("rollback").output == "Release 1 has the traffic again.\n"
    assert isinstance(frond_model("rollback").exception, Failure)
    assert "Release colours is removed." in frond_model("remove", "colours").output
    assert "no release 'colours'" in str(frond_model("promote", "colours").exception)
