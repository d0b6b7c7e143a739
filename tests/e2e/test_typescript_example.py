"""The TypeScript example as a page in a real browser, over the whole stack. Skipped without Chromium or compiler."""

from __future__ import annotations

import io
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

from cli.sample import draw_sample
from stack.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page, Route

    from tests.local_stack import LocalStack

SOURCES = ROOT / "client" / "typescript"
COMPILER = SOURCES / "node_modules" / ".bin" / "tsc"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HTML = '<input type="file" id="files">'
ORIENTATION, GPS, LATITUDE, TURNED_RIGHT = 0x0112, 0x8825, 2, 6  # EXIF 2.32
CLEAN = """async () => {
    const { withoutLocation } = await import("/app/example");
    const cleaned = await withoutLocation(document.querySelector("#files").files[0]);
    return [...new Uint8Array(await cleaned.arrayBuffer())];
}"""
DIAGNOSE = """async ([url, token]) => {
    const { onPhotos } = await import("/app/example");
    return onPhotos(document.querySelector("#files").files, url, token, new AbortController().signal);
}"""

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
    pytest.mark.skipif(not COMPILER.exists(), reason="needs the TypeScript compiler: `make typescript`"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Playwright's own
]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("typescript")
    subprocess.run([COMPILER, "--noEmit", "false", "--outDir", folder], cwd=SOURCES, check=True)
    return folder


@pytest.fixture
def url(stack: LocalStack) -> str:
    return str(stack.state()["gateway_url"])


@pytest.fixture
def page(url: str, compiled: Path, leaf: Path) -> Iterator[Page]:
    """An app's page beside the gateway, with a photo chosen."""

    def answer(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        if name == "page":
            route.fulfill(body=HTML, content_type="text/html")
        else:
            route.fulfill(body=(compiled / f"{name}.js").read_text(), content_type="text/javascript")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page()
        page.route("**/app/*", answer)
        page.goto(f"{url}/app/page")
        page.set_input_files("#files", str(leaf))
        yield page
        browser.close()


@pytest.fixture
def leaf(tmp_path: Path) -> Path:
    """Taken in portrait, with the place."""
    path = tmp_path / "leaf.jpg"
    with Image.open(io.BytesIO(draw_sample())) as photo:
        exif = photo.getexif()
        exif[ORIENTATION] = TURNED_RIGHT
        exif.get_ifd(GPS)[LATITUDE] = (48.0, 8.0, 12.0)
        photo.resize((2000, 1000)).save(path, exif=exif)
    return path


def test_the_photo_goes_on_upright_and_small_and_without_its_location(page: Page, leaf: Path) -> None:
    assert b"Exif" in leaf.read_bytes()
    cleaned = bytes(page.evaluate(CLEAN))
    assert b"Exif" not in cleaned
    with Image.open(io.BytesIO(cleaned)) as photo:
        assert (photo.format, photo.size) == ("JPEG", (800, 1600))
        assert not photo.getexif()


def test_the_user_reads_a_diagnosis(page: Page, stack: LocalStack, url: str) -> None:
    told = page.evaluate(DIAGNOSE, [url, stack.frond("token").stdout.strip()])
    assert told.endswith(" %") or told.startswith("No diagnosis")


def test_a_user_without_a_good_token_is_asked_to_sign_in(page: Page, url: str) -> None:
    assert page.evaluate(DIAGNOSE, [url, "no-token"]) == "Please sign in again."
