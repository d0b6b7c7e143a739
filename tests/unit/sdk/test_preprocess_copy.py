"""The client's wheel carries its own copy of `preprocess`, so that a device sees what the service sees."""

from __future__ import annotations

import re

import pytest

from stack.paths import ROOT

ORIGINAL, COPY = ROOT / "preprocess", ROOT / "client" / "src" / "frond" / "_preprocess"
REPAIR = "rebuild it: make preprocess-copy"


def test_the_copy_has_the_same_modules() -> None:
    names = {path.name for path in COPY.glob("*.py")}
    assert names == {path.name for path in ORIGINAL.glob("*.py")}, REPAIR


@pytest.mark.parametrize("name", sorted(path.name for path in ORIGINAL.glob("*.py")))
def test_a_module_differs_in_nothing_but_where_it_imports_from(name: str) -> None:
    expected = re.sub(
        r"^(\s*from )preprocess\b", r"\1frond._preprocess", (ORIGINAL / name).read_text(), flags=re.MULTILINE
    )
    assert (COPY / name).read_text() == expected, REPAIR
