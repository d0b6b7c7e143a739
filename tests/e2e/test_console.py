"""The web console in a real browser, over the whole stack. Skipped where there is no Chromium."""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from cli.sample import draw_sample
from tests.gateways import png

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Route

PAGES = ("/", "/model", "/status")
PHONE = {"width": 360, "height": 740}

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Playwright's own


def diagnose(page: Page, address: str, *photos: Path) -> None:
    page.goto(address)
    page.set_input_files("#files", [str(photo) for photo in photos])
    page.get_by_role("button", name="Diagnose").click()


def test_a_photo_gets_a_diagnosis_with_bars_and_a_waterfall(
    page: Page, address: str, leaf: Path, said: list[str]
) -> None:
    diagnose(page, address, leaf)
    expect(page.locator("#answer h2")).not_to_be_empty()
    expect(page.locator("#answer .bars > li")).to_have_count(5)
    shares = [float(text.split("\u202f")[0]) for text in page.locator("#answer .bar-number").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    widths = [box["width"] for bar in page.locator(".bar-filled").all() if (box := bar.bounding_box())]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 0
    expect(page.locator(".waterfall tbody tr")).to_have_count(6)
    expect(page.get_by_role("status")).not_to_be_empty()
    assert not said


def test_the_same_key_again_is_shown_as_replayed(page: Page, address: str, leaf: Path, said: list[str]) -> None:
    diagnose(page, address, leaf)
    page.get_by_role("button", name="Send the same key again").click()
    expect(page.locator(".replayed")).to_contain_text("the same byte for byte")
    assert not said


def test_the_token_of_the_address_is_taken_out_of_it_and_ends_with_the_tab(
    browser: Browser, page: Page, address: str, url: str
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    expect(page.locator("#access-state")).to_contain_text("valid for")
    assert page.url == f"{url}/"
    assert not any("token" in each for each in asked)
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    page.goto(f"{url}/status")
    expect(page.locator("#numbers .tile")).to_have_count(6)
    other = page.context.new_page()
    other.goto(url)
    expect(other.locator("#access-state")).to_have_text("no token")


def test_of_two_photos_the_one_that_is_cut_off_is_explained_beside_the_other(
    page: Page, address: str, leaf: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(leaf.read_bytes()[:2000])
    diagnose(page, address, leaf, cut)
    each = page.locator(".each > li")
    expect(each).to_have_count(2)
    expect(each.nth(0).locator(".bars > li")).to_have_count(3)
    expect(each.nth(1)).to_contain_text("The photo ends too early")


def test_a_photo_can_be_taken_out_again_with_the_keyboard(page: Page, address: str, leaf: Path) -> None:
    page.goto(address)
    expect(page.get_by_role("button", name="Diagnose")).to_be_disabled()
    page.set_input_files("#files", str(leaf))
    page.get_by_role("button", name="Remove leaf.jpg").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#photos li")).to_have_count(0)
    expect(page.get_by_role("button", name="Diagnose")).to_be_disabled()
    assert page.evaluate("document.activeElement.id") == "files"


def test_where_there_is_a_touch_screen_a_photo_can_be_taken(browser: Browser, page: Page, url: str, leaf: Path) -> None:
    page.goto(url)
    expect(page.get_by_text("Take a photo")).to_be_hidden()
    context = browser.new_context(has_touch=True)
    phone = context.new_page()
    phone.goto(url)
    expect(phone.get_by_text("Take a photo")).to_be_visible()
    assert phone.locator("#camera").get_attribute("capture") == "environment"
    phone.set_input_files("#camera", str(leaf))
    expect(phone.locator("#photos li")).to_have_count(1)
    context.close()


def test_dropped_photos_are_taken(page: Page, address: str, leaf: Path) -> None:
    page.goto(address)
    page.evaluate(
        """bytes => {
            const dropped = new DataTransfer();
            dropped.items.add(new File([new Uint8Array(bytes)], "dropped.jpg", {type: "image/jpeg"}));
            document.getElementById("drop").dispatchEvent(new DragEvent("drop", {dataTransfer: dropped}));
        }""",
        list(leaf.read_bytes()),
    )
    expect(page.locator("#photos li")).to_have_count(1)
    page.get_by_role("button", name="Diagnose").click()
    expect(page.locator("#answer .bars")).to_be_visible()


def test_a_photo_without_a_leaf_gets_no_diagnosis_and_the_reason(
    page: Page, address: str, tmp_path: Path, said: list[str]
) -> None:
    wall = tmp_path / "wall.png"
    wall.write_bytes(png(200, side=256))
    diagnose(page, address, wall)
    expect(page.locator("#answer h2.abstained")).to_have_text("No leaf was found")
    expect(page.locator("#answer .bars.muted > li")).to_have_count(5)  # what it would have been
    assert not said


def test_a_photo_that_cannot_be_decoded_is_a_validation_error_in_words(
    page: Page, address: str, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(draw_sample()[:2000])
    diagnose(page, address, cut)
    expect(page.get_by_role("alert")).to_contain_text("The photo ends too early")
    expect(page.get_by_role("alert")).to_contain_text("validation")


def test_a_deadline_that_passes_can_be_given_more_time(page: Page, address: str, leaf: Path) -> None:
    page.goto(address)
    page.set_input_files("#files", str(leaf))
    page.get_by_label("Deadline, seconds").fill("0.001")
    page.get_by_role("button", name="Diagnose").click()
    expect(page.get_by_role("alert")).to_contain_text("The deadline passed")
    expect(page.get_by_role("alert")).to_contain_text("with more time")
    page.get_by_label("Deadline, seconds").fill("20")
    page.get_by_role("button", name="Send it again").click()
    expect(page.locator("#answer .bars")).to_be_visible()


def test_without_a_token_nothing_is_sent_and_the_field_is_offered(page: Page, url: str, leaf: Path) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    diagnose(page, url, leaf)
    expect(page.get_by_role("alert")).to_contain_text("A token is needed")
    assert not any("ai-inference" in each for each in asked)
    page.get_by_role("button", name="Enter a token").click()
    assert page.evaluate("document.activeElement.id") == "token"


def test_a_token_that_nobody_signed_is_an_auth_error(page: Page, url: str, leaf: Path) -> None:
    page.goto(url)
    page.get_by_label("Bearer token").fill("a.b.c")
    page.set_input_files("#files", str(leaf))
    page.get_by_role("button", name="Diagnose").click()
    expect(page.get_by_role("alert")).to_contain_text("The token is not accepted")


def test_a_retryable_error_is_sent_again_under_the_same_key(page: Page, address: str, leaf: Path) -> None:
    keys: list[str] = []

    def busy_once(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 1:
            route.continue_()
            return
        error: dict[str, Any] = {"category": "server", "code": "overloaded", "message": "Busy.", "retryable": True}
        body = {"success": False, "requestId": "r-1", "result": None, "error": error | {"retryAfterMs": 50}}
        route.fulfill(status=503, content_type="application/json", body=json.dumps(body))

    page.route("**/v1/ai-inference", busy_once)
    diagnose(page, address, leaf)
    expect(page.get_by_role("alert")).to_contain_text("The model has too much to do")
    page.get_by_role("button", name="Send it again").click()
    expect(page.locator("#answer .bars")).to_be_visible()
    assert len(set(map(uuid.UUID, keys))) == 1
    assert len(keys) == 2


def test_a_connection_that_breaks_is_a_network_error(page: Page, address: str, leaf: Path) -> None:
    page.route("**/v1/ai-inference", lambda route: route.abort("connectionreset"))
    diagnose(page, address, leaf)
    expect(page.get_by_role("alert")).to_contain_text("No answer arrived")
    expect(page.get_by_role("button", name="Send it again")).to_be_enabled()


def test_a_request_on_its_way_can_be_cancelled(page: Page, address: str, leaf: Path) -> None:
    page.route("**/v1/ai-inference", lambda _: None)  # never answered
    diagnose(page, address, leaf)
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("Cancelled")
    expect(page.get_by_role("button", name="Diagnose")).to_be_enabled()


def test_the_model_page_shows_the_card_with_reliability_diagrams(
    page: Page, address: str, url: str, said: list[str]
) -> None:
    page.goto(address)
    page.goto(f"{url}/model")
    expect(page.locator("svg.diagram")).to_have_count(6)
    expect(page.locator("svg.diagram").first.locator(".share")).not_to_have_count(0)
    accuracies = page.locator(".tile", has_text="Accuracy")  # the field beside the lab
    expect(accuracies).to_have_text([re.compile(r"Lab test\d"), re.compile(r"field\d")])
    assert not said


def test_the_status_page_shows_readiness_breakers_and_versions(
    page: Page, address: str, url: str, said: list[str]
) -> None:
    page.goto(address)
    page.goto(f"{url}/status")
    expect(page.locator("#state")).to_have_text("Ready: a request would be answered.")
    expect(page.locator("#parts tbody tr")).to_have_count(4)
    expect(page.locator("#numbers tbody tr").first).to_contain_text(re.compile(r"well.*2\.\d+\.\d+"))
    assert not said


def test_the_status_page_looks_again_without_taking_the_focus(page: Page, address: str, url: str) -> None:
    page.goto(address)
    page.goto(f"{url}/status")
    region = page.get_by_role("region", name="What a request needs")
    region.focus()
    region.evaluate("element => element.dataset.seen = 'first'")
    expect(page.locator("[data-seen]")).to_have_count(0, timeout=10_000)
    expect(region).to_be_focused()


def test_a_gateway_that_is_out_is_told(page: Page, address: str, url: str) -> None:
    page.goto(address)
    page.goto(f"{url}/status")
    expect(page.locator("#state")).to_contain_text("Ready")
    page.context.set_offline(True)
    expect(page.locator("#state")).to_have_text("The service cannot be reached.", timeout=10_000)


def test_a_text_that_is_no_token_is_refused_in_words(page: Page, url: str, leaf: Path) -> None:
    page.goto(url)
    page.get_by_label("Bearer token").fill("«not a token» ☘")
    expect(page.locator("#access-state")).to_have_text("what is entered is no token")
    page.set_input_files("#files", str(leaf))
    page.get_by_role("button", name="Diagnose").click()
    expect(page.get_by_role("alert")).to_contain_text("The token is not accepted")


@pytest.mark.parametrize("page", ["light", "dark"], indirect=True)
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious(page: Page, address: str, url: str, path: str, leaf: Path) -> None:
    diagnose(page, address, leaf)
    expect(page.locator("#answer .bars")).to_be_visible()
    if path != "/":
        page.goto(f"{url}{path}")
        expect(page.locator(".tile").first).to_be_visible()
    found = Axe().run(page).response["violations"]
    assert not [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] != "minor"]


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_wider_than_a_phone(page: Page, address: str, url: str, path: str, leaf: Path) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    diagnose(page, address, leaf)
    expect(page.locator("#answer .bars")).to_be_visible()
    if path != "/":
        page.goto(f"{url}{path}")
        expect(page.locator(".tile").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_last_answer_does_not_stay_under_other_photos_or_a_request_on_its_way(
    page: Page, address: str, leaf: Path
) -> None:
    diagnose(page, address, leaf)
    expect(page.locator("#answer .bars")).to_be_visible()
    page.set_input_files("#files", str(leaf))
    expect(page.locator("#photos li")).to_have_count(2)
    expect(page.locator("#answer")).to_be_hidden()
    page.route("**/v1/ai-inference", lambda route: route.abort("connectionreset"), times=1)
    page.get_by_role("button", name="Diagnose").click()
    expect(page.get_by_role("alert")).to_contain_text("No answer arrived")
    page.route("**/v1/ai-inference", lambda _: None)  # never answered
    page.get_by_role("button", name="Send it again").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_photos_over_eight_are_named_where_one_sees_and_hears_it(
    page: Page, url: str, leaf: Path, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{number}.jpg" for number in range(10)]
    for path in paths:
        path.write_bytes(leaf.read_bytes())
    page.goto(url)
    page.set_input_files("#files", [str(path) for path in paths[:7]])
    page.set_input_files("#files", [str(path) for path in paths[7:]])
    expect(page.locator("#photos li")).to_have_count(8)
    expect(page.locator("#left-out")).to_be_visible()
    expect(page.locator("#left-out")).to_have_text("A request has at most 8 photos. Left out: 8.jpg, 9.jpg.")
    expect(page.locator("#left-out")).to_have_attribute("aria-live", "polite")
    page.get_by_role("button", name="Remove 7.jpg").click()
    expect(page.locator("#left-out")).to_be_hidden()


def test_what_is_too_large_empty_or_no_photo_is_not_sent(page: Page, url: str, leaf: Path, tmp_path: Path) -> None:
    large, empty, words = tmp_path / "large.jpg", tmp_path / "empty.jpg", tmp_path / "words.jpg"
    large.write_bytes(leaf.read_bytes() + bytes(28_000_000))
    empty.touch()
    words.write_text("no photo")
    page.goto(url)
    page.set_input_files("#files", [str(path) for path in (large, empty, words, leaf)])
    expect(page.locator("#photos li")).to_have_count(1)
    expect(page.locator("#left-out p")).to_have_text(
        [
            re.compile(r"^large\.jpg is left out: it has 28\.\d MB, and up to 20 MB are taken\.$"),
            "empty.jpg is left out: it is empty.",
            "words.jpg is left out: it is neither JPEG, PNG, WebP nor HEIC.",
        ]
    )


@pytest.mark.parametrize(
    ("label", "value"),
    [("Deadline, seconds", "-1"), ("Deadline, seconds", "100"), ("Deadline, seconds", ""), ("Predictions", "101")],
)
def test_a_setting_out_of_its_range_is_pointed_at_and_nothing_is_sent(
    page: Page, address: str, leaf: Path, label: str, value: str
) -> None:
    page.goto(address)
    page.set_input_files("#files", str(leaf))
    page.get_by_label(label).fill(value)
    page.get_by_role("button", name="Diagnose").click()
    expect(page.get_by_label(label)).to_be_focused()
    assert not page.get_by_label(label).evaluate("field => field.validity.valid")
    expect(page.locator("#progress")).to_be_hidden()
    expect(page.locator("#answer")).to_be_hidden()


def test_on_a_phone_no_column_of_the_tables_is_out_of_sight(page: Page, address: str, url: str) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(address)
    for path in ("/model", "/status"):
        page.goto(f"{url}{path}")
        expect(page.locator(".tile").first).to_be_visible()
        assert page.evaluate("[...document.querySelectorAll('.table')].every(t => t.scrollWidth <= t.clientWidth)")


def test_what_callers_did_wrong_is_not_the_services_failure(page: Page, address: str, url: str) -> None:
    recent = {"seconds": 300, "answered": 90, "failed": {"auth": 6, "validation": 2, "server": 2}, "replayed": 0}
    status = {"version": "1", "uptimeSeconds": 1, "recent": recent | {"p50Ms": 1, "p95Ms": 2}, "tritons": []}
    page.route("**/v1/status", lambda route: route.fulfill(json=status))
    page.goto(address)
    page.goto(f"{url}/status")
    expect(page.locator(".tile").nth(1)).to_have_text(re.compile("^Failed2.0.%server 2$"))
    expect(page.locator(".tile").nth(2)).to_have_text(re.compile("^Refused8.0.%auth 6, validation 2$"))
