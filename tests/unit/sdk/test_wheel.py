"""The wheel holds all that the client imports, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from stack.paths import ROOT


def test_the_wheel_has_every_module_and_its_types(tmp_path: Path) -> None:
    source = tmp_path / "client"
    shutil.copytree(ROOT / "client", source, ignore=shutil.ignore_patterns("build", "*.egg-info", "node_modules"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-input"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = {Path(name) for name in zipfile.ZipFile(wheel).namelist() if not name.startswith("frond-")}
    root = ROOT / "client" / "src"
    assert packed == {path.relative_to(root) for path in root.rglob("*.py")} | {Path("frond/py.typed")}
