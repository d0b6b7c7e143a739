"""The page about capacity shows what the command answers with the figures that ship."""

from __future__ import annotations

import io
import os

import pytest
from rich.console import Console

from cli.capacity import measured, plan, report
from loadtest import markdown
from stack.paths import ROOT

PAGE = ROOT / "docs" / "capacity.md"
QUESTION = plan.Load(
    rate=200,
    daily_requests=200 * plan.DAY_SECONDS,
    megapixels=12,
    photos=1,
    target_seconds=5,
    share=0.95,
    utilisation=0.7,
    spare=1,
)


def answer() -> str:
    """Of `frond capacity --rate 200 --megapixels 12 --p95 5`."""
    figures = measured.read()
    written = io.StringIO()
    console = Console(file=written, width=120, highlight=False)
    console.print(report.table(QUESTION, figures, None, plan.plan(QUESTION, figures, None)))
    lines = [line.rstrip() for line in written.getvalue().splitlines()]
    return "\n".join(["```", *lines, "```"])


def test_the_page_shows_the_answer_as_it_is() -> None:
    """FROND_WRITE_DOCS=1 writes it."""
    if os.environ.get("FROND_WRITE_DOCS"):
        markdown.put(PAGE, {"answer": answer()})
    assert f"<!-- answer -->\n{answer()}\n<!-- /answer -->" in PAGE.read_text(), "FROND_WRITE_DOCS=1 writes it anew"


@pytest.mark.parametrize("name", ["requests", "shapes", "open", "closed", "growth", "growth-cleanup"])
def test_every_table_was_measured(name: str) -> None:
    page = PAGE.read_text()
    table = page.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]
    assert table.count("\n") > 2
