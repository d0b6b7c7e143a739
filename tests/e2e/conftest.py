"""One stack for all tests of this folder, which none of them stops, and a browser with the console in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from cli.sample import draw_sample
from tests.local_stack import LocalStack, local_stack

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with local_stack(tmp_path_factory.mktemp("stack") / "state") as running:
        yield running


@pytest.fixture(scope="module")  # its event loop must be gone before tests that have their own
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM)
        yield running
        running.close()


@pytest.fixture
def said() -> list[str]:
    """What the pages wrote into the browser's console as an error, refused loads and broken policies among it."""
    return []


@pytest.fixture(params=["light"])
def page(browser: Browser, said: list[str], request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(color_scheme=request.param, viewport={"width": 1100, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()


@pytest.fixture
def leaf(tmp_path: Path) -> Path:
    path = tmp_path / "leaf.jpg"
    path.write_bytes(draw_sample())
    return path


@pytest.fixture
def url(stack: LocalStack) -> str:
    return str(stack.state()["gateway_url"])


@pytest.fixture
def address(stack: LocalStack, url: str) -> str:
    """With a token, as `frond up` prints it."""
    return f"{url}/#token={stack.frond('token').stdout.strip()}"
