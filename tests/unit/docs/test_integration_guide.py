"""The guide shows the examples that the tests run, letter by letter."""

from __future__ import annotations

import os
import re

import pytest

from frond import errors
from stack.paths import ROOT

GUIDE = ROOT / "docs" / "guides" / "integrate.md"
MARK = re.compile(r"<!-- (client/examples/\w+\.py) -->\n(```python\n.*?```\n)?", re.DOTALL)


def with_examples(page: str) -> str:
    return MARK.sub(lambda match: f"<!-- {match[1]} -->\n```python\n{(ROOT / match[1]).read_text()}```\n", page)


def test_the_guide_shows_the_examples_as_they_are() -> None:
    """FROND_WRITE_DOCS=1 writes them."""
    page = GUIDE.read_text()
    if os.environ.get("FROND_WRITE_DOCS"):
        page = with_examples(page)
        GUIDE.write_text(page)
    assert page == with_examples(page), "FROND_WRITE_DOCS=1 writes it anew"


def test_the_guide_shows_every_example() -> None:
    examples = {path.relative_to(ROOT).as_posix() for path in (ROOT / "client" / "examples").glob("*.py")}
    assert {match[1] for match in MARK.finditer(GUIDE.read_text())} == examples


@pytest.mark.parametrize("name", [cls.__name__ for cls in errors.CLASSES.values()])
def test_the_guide_names_every_class_of_error(name: str) -> None:
    assert f"| `{name}` |" in GUIDE.read_text()


def test_the_guide_names_every_code_that_the_client_makes() -> None:
    sources = (ROOT / "client" / "src" / "frond").rglob("*.py")
    made = {code for path in sources for code in re.findall(r'code="([a-z_]+)"', path.read_text())}
    from_the_service = {code for code in made if code.startswith("image_")}
    of_the_device = {"device_failed", "device_timeout", "device_unavailable"}
    page = GUIDE.read_text()
    assert {code for code in made - from_the_service - of_the_device if f"`{code}`" not in page} == set()
