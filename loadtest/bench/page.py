"""docs/benchmarks.md: the part between the marks is written anew by each full run, the rest by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from loadtest.bench import tables
from stack.paths import ROOT

if TYPE_CHECKING:
    from loadtest.bench.measurement import Plan, Results
    from loadtest.bench.surroundings import Surroundings

PAGE = ROOT / "docs" / "benchmarks.md"
PLOT = ROOT / "docs" / "images" / "benchmark.svg"
BEGIN, END = "<!-- made by `make bench`: begin -->", "<!-- made by `make bench`: end -->"


class PageError(Exception):
    """The page has lost its marks."""


def rewrite(page: str, part: str) -> str:
    """The page with `part` between its marks; raises `PageError` where they are not."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise PageError(f"{PAGE} has no part between {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n{part}\n{END}{after}"


def part(results: Results, plan: Plan, surroundings: Surroundings, command: str) -> str:
    """What a run says of itself, in Markdown."""
    count = f"{plan.rounds} rounds of {plan.seconds:g} s, {plan.concurrency} clients"
    where = f"{surroundings.cores} cores of {surroundings.processor}, Linux {surroundings.kernel}"
    return "\n\n".join(
        [
            f"`{command}` on {datetime.now(UTC):%-d %B %Y}; {count}; {where}, Python {surroundings.python}.",
            "Median of the rounds (lowest–highest) · share of the bare loop over the same file:",
            tables.throughput(results),
            f"![The same as bars](images/{PLOT.name})",
            f"How long a request took with {plan.concurrency} clients in all rounds and, after the comma, with one:",
            tables.latency(results),
            f"Frond and Triton: {_versions(surroundings.frond)}. Peers: {_versions(surroundings.peers)}.",
        ]
    )


def publish(text: str, path: Path = PAGE) -> None:
    path.write_text(rewrite(path.read_text(encoding="utf-8"), text), encoding="utf-8")


def _versions(packages: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in packages.items())
