"""What the runbooks give an operator to type and to look at, by who reads it; `…` stands for a name."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from tests.monitoring.rule_files import RUNBOOKS

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = {path.stem: path.read_text() for path in sorted(RUNBOOKS.glob("*.md"))}
CODE = re.compile(r"`([^`]+)`")
WORDS = re.compile(r"(?<![*\w])\*([^*]+)\*(?![*\w])")
WITHIN = re.compile(r"\$\(([^|]+)\|")  # `psql "$(kubectl … | base64 -d)"`
METRIC = re.compile(r"\b(?:\w+:)?(?:frond_(?:\w+)|nv_\w+)(?::\w+)?")
STATEMENT = re.compile(r"(?:select|delete|alter|analyze) .+")


def codes() -> Iterator[str]:
    """Each on one line; within a table `|` has a stroke before it."""
    for page in PAGES.values():
        for code in CODE.findall(page):
            yield re.sub(r"\s+", " ", code).replace(r"\|", "|")


def commands(program: str) -> list[list[str]]:
    """As the shell takes them apart, less what they are piped into."""
    found = [part for code in codes() for part in (code, *WITHIN.findall(code))]
    split = [shlex.split(code.replace("…", "x")) for code in found if code.startswith(f"{program} ")]
    return [words[: words.index("|")] if "|" in words else words for words in split]


def expressions() -> list[str]:
    """PromQL."""
    return [code for code in codes() if METRIC.search(code) and not STATEMENT.fullmatch(code)]


def statements() -> list[str]:
    """SQL."""
    return [code.replace("…", "0") for code in codes() if STATEMENT.fullmatch(code)]


def named() -> Iterator[tuple[str, str]]:
    """Page and panel, row or dashboard; the line below a page's title is the alert's summary."""
    for page, text in PAGES.items():
        body = CODE.sub("", text.split("\n## ", 1)[-1])
        yield from ((page, re.sub(r"\s+", " ", words)) for words in WORDS.findall(body))
