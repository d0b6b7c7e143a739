"""What importing the client costs, and what it never does."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib

import pytest

import frond
from stack.paths import ROOT

SOURCES = ROOT / "client" / "src" / "frond"


def modules_after(statement: str) -> set[str]:
    command = [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_the_wire_contract_needs_no_http_library() -> None:
    assert modules_after("import frond.types").isdisjoint({"httpx2", "PIL", "numpy", "onnxruntime", "frond.exchange"})


def test_the_clients_need_neither_pillow_nor_numpy() -> None:
    loaded = modules_after("from frond import CloudInferenceClient, InferenceCoordinator, OnnxDevicePredictor")
    assert "httpx2" in loaded
    assert loaded.isdisjoint({"PIL", "pillow_heif", "numpy", "onnxruntime", "opentelemetry"})


@pytest.mark.parametrize("name", frond.__all__)
def test_a_public_name_is_there(name: str) -> None:
    assert getattr(frond, name).__name__ == name


def test_the_version_is_the_wheels() -> None:
    project = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text())["project"]
    assert frond.__version__ == project["version"]


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = frond.nothing


def test_no_wall_clock_decides_anything() -> None:
    """A device's clock may be hours off: only the time that is reported with an event is read from it."""
    users = {
        path.name
        for path in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today", "time_ns"})
        or (isinstance(node, ast.Attribute) and node.attr == "time" and getattr(node.value, "id", "") == "time")
    }
    assert users == {"telemetry.py"}
