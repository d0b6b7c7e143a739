"""`make sbom`: each image's Python packages in CycloneDX, exactly as they are locked."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stack.paths import ROOT


@pytest.fixture(scope="module")
def bills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bills")
    made = subprocess.run(
        ["make", "--silent", "sbom", f"SBOM={folder}", f"BIN={Path(sys.executable).parent}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return folder


@pytest.mark.parametrize(("image", "lock"), [("gateway", "gateway.txt"), ("triton", "serving.txt")])
def test_the_bill_names_each_locked_package_with_its_version_and_hashes(bills: Path, image: str, lock: str) -> None:
    bill = json.loads((bills / f"frond-{image}.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["version"] == "0.1.0"
    text = (ROOT / "requirements" / lock).read_text()
    entries = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+) \\\n((?:    --hash=\S+(?: \\)?\n?)+)", text, re.MULTILINE)
    named = {each["name"]: each for each in bill["components"]}
    assert {name: each["version"] for name, each in named.items()} == {name: version for name, version, _ in entries}
    for name, _, hashes in entries:
        assert hashes_of(named[name]) == set(re.findall(r"sha256:(\w{64})", hashes))


def hashes_of(component: dict[str, object]) -> set[str]:
    return set(re.findall(r'"content": "(\w{64})"', json.dumps(component)))
