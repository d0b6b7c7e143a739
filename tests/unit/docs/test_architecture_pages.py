"""What the pages about the architecture name is there: files, folders and tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stack.paths import ROOT

PAGES = sorted((ROOT / "docs" / "architecture").glob("*.md"))
CODE = re.compile(r"`([^`\n]+)`")
FOLDERS = "|".join(sorted(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")))
PLACE = re.compile(rf"(?:{FOLDERS})/[\w./-]*")
TEST = re.compile(r"test_\w+")


def named(page: str, what: re.Pattern[str]) -> set[str]:
    return {name for name in CODE.findall(page) if what.fullmatch(name)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_file_and_folder_that_a_page_names_is_there(page: Path) -> None:
    assert {name for name in named(page.read_text(), PLACE) if not (ROOT / name).exists()} == set()


def test_every_test_that_the_guarantees_name_is_there() -> None:
    written = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    names = named((ROOT / "docs" / "architecture" / "guarantees.md").read_text(), TEST)
    assert len(names) > 20
    assert {name for name in names if f"def {name}(" not in written} == set()
