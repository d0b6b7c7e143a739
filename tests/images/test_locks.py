"""What the Triton image installs exists for the Python of NVIDIA's image, which the tests do not run on."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from stack.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# tritonserver:26.05-py3 is Ubuntu 24.04.
PLATFORM = (
    "--python-version=3.12",
    "--implementation=cp",
    "--platform=manylinux_2_28_x86_64",
    "--platform=manylinux_2_17_x86_64",
)


def test_the_serving_packages_are_locked_for_python_3_12_with_compiled_wheels(tmp_path: Path) -> None:
    lock = ROOT / "requirements" / "serving.txt"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    options = ["--only-binary=:all:", "--no-compile", "--require-hashes", f"--target={tmp_path}", *PLATFORM]
    done = subprocess.run([*pip, *options, "-r", str(lock)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for package in ("numpy", "PIL", "pillow_heif"):
        compiled = [*(tmp_path / package).rglob("*.so"), *tmp_path.glob(f"_{package}*.so")]
        assert [each for each in compiled if "cpython-312" in each.name], package
        assert [each for each in compiled if "cpython-31" in each.name and "cpython-312" not in each.name] == []
