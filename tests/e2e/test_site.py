"""The documentation site: every page can be found, every link leads somewhere, nothing comes from elsewhere."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import yaml

from stack.paths import ROOT
from tests.e2e.site import DOCS, IS_INSTALLED, REPOSITORY, Site, build, is_elsewhere, make, sources

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.skipif(
    not IS_INSTALLED, reason="nothing here that makes the site: make .venv-docs/ready docs/site/node_modules"
)

RULES = ROOT / "deploy" / "monitoring" / "prometheus" / "rules" / "alerts.yaml"
SERVED_AT = "https://example.com/frond/docs/"  # what the alerts' links begin with
WITH_DIAGRAMS = [path for path in sources() if "```mermaid" in path.read_text()]
NARROW = {"width": 375, "height": 800}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site") / "site"
    made = make(folder, REPOSITORY)
    assert made.returncode == 0, made.stdout + made.stderr
    return Site(folder)


@pytest.fixture(scope="module")
def address(site: Site) -> Iterator[str]:
    """Served as any web server of files does."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site.folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_every_page_of_the_documentation_is_there_and_in_the_navigation(site: Site) -> None:
    index = site.folder / "index.html"
    listed = {site.target(index, link) for link in site.pages[index].navigation}
    assert {site.page_of(source) for source in sources()} - {index} == listed


def test_every_link_inside_leads_to_a_page_and_to_an_anchor_of_it(site: Site) -> None:
    dead = [
        f"{path.relative_to(site.folder)}: {link}"
        for path, page in site.pages.items()
        for link in page.links
        if not is_elsewhere(link) and not is_there(site, path, link)
    ]
    assert not dead


def is_there(site: Site, page: Path, link: str) -> bool:
    target, anchor = site.target(page, link), urlsplit(link).fragment
    return target.is_file() and (not anchor or anchor in site.pages[target].ids)


def test_nothing_is_loaded_from_elsewhere(site: Site) -> None:
    loads = {(path, load) for path, page in site.pages.items() for load in page.loads}
    assert [load for _, load in loads if is_elsewhere(load) and not load.startswith("data:")] == []
    assert [
        load for path, load in loads if not load.startswith("data:") and not site.target(path, load).is_file()
    ] == []
    styles = "".join(path.read_text() for path in site.folder.rglob("*.css"))
    assert re.findall(r"""(?:@import|url\()\s*["']?(?:https?:)?//[^)]*""", styles) == []


def test_a_link_into_the_sources_leads_to_the_repository(site: Site) -> None:
    links = {
        link.partition("#")[0] for page in site.pages.values() for link in page.links if link.startswith(REPOSITORY)
    }
    assert f"{REPOSITORY}/loadtest/peers/fastapi_app.py" in links
    assert [link for link in links if not (ROOT / link.removeprefix(f"{REPOSITORY}/")).exists()] == []


def test_the_link_of_each_alert_leads_to_its_page(site: Site) -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    for rule in rules:
        url: str = rule["annotations"]["runbook_url"]
        page = site.target(site.folder / "index.html", url.removeprefix(SERVED_AT))
        assert url.startswith(SERVED_AT)
        assert page == site.page_of(DOCS / "runbooks" / f"{rule['alert']}.md")
        assert page.is_file()


def test_a_mistake_of_any_kind_fails_the_build_and_is_named(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    shutil.copytree(DOCS, docs, symlinks=True)
    (docs / "astray.md").write_text("# In no list\n")
    (docs / "gpu.md").unlink()
    with (docs / "tuning.md").open("a") as page:
        page.write("\n[a page](missing.md) [an anchor](capacity.md#missing) [a source](../missing.py)\n")
    built = build(docs, tmp_path / "site")
    assert built.returncode != 0
    for mistake in ("astray.md", "nonexisting document 'gpu'", "missing.md", "'missing'", "there is no ../missing.py"):
        assert mistake in built.stderr, built.stderr


@pytest.mark.parametrize(("words", "title"), [("announcement", "One answer for each key"), ("runbooks", "Runbooks")])
def test_a_search_finds_a_page_by_its_words_and_leads_there(address: str, page: Page, words: str, title: str) -> None:
    page.goto(f"{address}search/?q={words}")
    page.locator("ul.search li a", has_text=title).first.click()
    page.get_by_role("heading", name=title, exact=False, level=1).wait_for()


@pytest.mark.parametrize("source", WITH_DIAGRAMS, ids=lambda source: source.stem)
@pytest.mark.parametrize("page", ["light", "dark"], indirect=True)
def test_every_diagram_is_drawn_without_anything_from_elsewhere(
    address: str, site: Site, source: Path, page: Page, said: list[str]
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address + str(site.page_of(source).parent.relative_to(site.folder)))
    page.locator("pre.mermaid svg").last.wait_for()
    assert page.locator("pre.mermaid svg[aria-roledescription]").count() == source.read_text().count("```mermaid")
    assert page.get_by_text("Syntax error").count() == 0
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
    assert said == []


@pytest.mark.parametrize("place", ["", "guides/operate/", "architecture/request/", "reference/errors/"])
def test_on_a_phone_a_page_is_as_wide_as_the_screen(address: str, page: Page, place: str) -> None:
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    page.goto(address + place)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
