"""The TypeScript types are those of the OpenAPI document, and all of TypeScript compiles where Node is."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from client.typescript.generate import TARGET, UnknownSchemaError, render
from gateway.document import document
from stack.paths import ROOT

FOLDER = ROOT / "client" / "typescript"
NATIVE = ROOT / "tests" / "integration" / "sdk" / "typescript" / "react_native.d.ts"
COMPILER = FOLDER / "node_modules" / ".bin" / "tsc"


def test_the_types_are_current() -> None:
    assert TARGET.read_text(encoding="utf-8") == render(document()), "`make typescript` renews them"


def test_a_keyword_that_the_generator_does_not_know_ends_it() -> None:
    changed = copy.deepcopy(document())
    changed["components"]["schemas"]["Timing"]["properties"]["queue"] = {"oneOf": [{"type": "string"}]}
    with pytest.raises(UnknownSchemaError, match="oneOf"):
        render(changed)


@pytest.mark.skipif(not COMPILER.exists(), reason="needs the TypeScript compiler: `make typescript` where Node is")
def test_types_and_example_compile_strictly() -> None:
    done = compile_in(FOLDER)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not COMPILER.exists(), reason="needs the TypeScript compiler: `make typescript` where Node is")
def test_a_field_that_the_contract_does_not_have_does_not_compile(tmp_path: Path) -> None:
    for name in ("frond.ts", "tsconfig.json"):
        shutil.copy(FOLDER / name, tmp_path)
    (tmp_path / "diagnose.ts").touch()
    (tmp_path / "example.ts").write_text(
        'import type { Timing } from "./frond"; export const total = (timing: Timing) => timing.totals;'
    )
    assert "totals" in compile_in(tmp_path).stdout


@pytest.mark.skipif(not COMPILER.exists(), reason="needs the TypeScript compiler: `make typescript` where Node is")
def test_a_diagnosis_compiles_with_what_react_native_declares(tmp_path: Path) -> None:
    for path in (FOLDER / "frond.ts", FOLDER / "diagnose.ts", NATIVE):
        shutil.copy(path, tmp_path)
    settings = json.loads((FOLDER / "tsconfig.json").read_text(encoding="utf-8"))
    settings["compilerOptions"]["lib"] = ["ES2022"]
    settings["files"] = ["diagnose.ts", NATIVE.name]
    (tmp_path / "tsconfig.json").write_text(json.dumps(settings))
    done = compile_in(tmp_path)
    assert done.returncode == 0, done.stdout


def test_no_type_has_the_name_of_one_that_the_language_has() -> None:
    named = set(re.findall(r"export (?:type|interface) (\w+)", TARGET.read_text(encoding="utf-8")))
    assert "WireError" in named
    assert not named & {
        "Error",
        "Request",
        "Response",
        "Record",
        "Map",
        "Set",
        "Date",
        "Promise",
        "Blob",
        "File",
        "Event",
    }


def compile_in(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMPILER, "--noEmit"], cwd=folder, capture_output=True, text=True, check=False)


def test_the_guide_shows_the_example_that_compiles() -> None:
    guide = (ROOT / "docs" / "guides" / "typescript.md").read_text(encoding="utf-8")
    assert f"```ts\n{(FOLDER / 'example.ts').read_text(encoding='utf-8')}```" in guide
