"""The documentation site as a folder of files: built, read, and asked where its links lead."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stack.paths import ROOT

DOCS = ROOT / "docs"
ENVIRONMENT = ROOT / ".venv-docs"
SCRIPT = DOCS / "site" / "node_modules"
IS_INSTALLED = (ENVIRONMENT / "ready").exists() and SCRIPT.exists()
REPOSITORY = "https://example.com/frond/blob/main"


def make(out: Path, repository: str = "") -> subprocess.CompletedProcess[str]:
    """As a reader does."""
    command = ["make", "docs", f"SITE={out}", f"REPOSITORY={repository}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def build(docs: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Of another folder than `docs/`, with its own configuration."""
    options = ["-q", "-W", "-b", "dirhtml", "-d", f"{out}.doctrees", "-c", f"{docs}/site"]
    command = [f"{ENVIRONMENT}/bin/sphinx-build", *options, str(docs), str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@dataclass
class Page(HTMLParser):
    """What a page has: anchors, links, and what a browser loads for it."""

    text: str
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    navigation: list[str] = field(default_factory=list)
    _depth: int = 0  # of elements inside the sidebar's navigation

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given["id"]} if "id" in given else set()
        if tag == "div" and (self._depth or "sidebar-tree" in given.get("class", "")):
            self._depth += 1
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
            if self._depth:
                self.navigation.append(given["href"])
        elif tag == "link" and given.get("rel") not in {"next", "prev", "index", "search"}:
            self.loads.append(given["href"])
        elif "src" in given:
            self.loads.append(given["src"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "div" and self._depth:
            self._depth -= 1


@dataclass(frozen=True)
class Site:
    """The folder that `make docs` writes."""

    folder: Path

    @cached_property
    def pages(self) -> dict[Path, Page]:
        return {path: Page(path.read_text()) for path in self.folder.rglob("*.html")}

    def target(self, page: Path, link: str) -> Path:
        """The file that a link inside the site leads to; a folder stands for its `index.html`."""
        path = unquote(urlsplit(link).path)
        found = (page.parent / path).resolve() if path else page
        return found / "index.html" if found.is_dir() else found

    def page_of(self, source: Path) -> Path:
        """Where `docs/a/b.md` lies, and `docs/a/README.md`."""
        place = source.relative_to(DOCS).with_suffix("")
        return self.folder / (place.parent if place.name == "README" else place) / "index.html"


def is_elsewhere(link: str) -> bool:
    parts = urlsplit(link)
    return bool(parts.scheme or parts.netloc)


def sources() -> list[Path]:
    return [path for path in DOCS.rglob("*.md") if "node_modules" not in path.parts]
