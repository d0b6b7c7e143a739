"""The console's files as a browser gets them, and the two pages of the API behind them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from gateway.card.store import RepositoryCards
from gateway.console.routes import PAGES, STATIC, read_assets
from gateway.errors import NotFoundError, ServerError
from stack.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateways import Gateway

LOADED = re.compile(r'(?:src|href)="(/console/[^"]+)"')
IMPORTED = re.compile(r'from "\./([^"]+)"')
INLINE = re.compile(r"<style|<script(?![^>]*\ssrc=)|\sstyle=|\son\w+=", re.IGNORECASE)


async def get(gateway: Gateway, path: str, **headers: str) -> Any:
    return await gateway.client.get(path, headers=headers)


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_allows_nothing_inline_and_nothing_from_elsewhere(gateway: Gateway, path: str) -> None:
    answer = await get(gateway, path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))
    assert not INLINE.search(answer.text)
    assert "http://" not in answer.text
    assert "https://" not in answer.text


async def test_each_page_has_its_title_and_says_where_it_is(gateway: Gateway) -> None:
    texts = {path: (await get(gateway, path)).text for path in PAGES}
    assert len({re.findall("<title>(.*)</title>", text)[0] for text in texts.values()}) == len(PAGES)
    for path, text in texts.items():
        assert re.findall(r'<a href="([^"]+)" aria-current="page">', text) == [path]
        assert text.count("<main") == text.count("<h1>") == text.count('id="access"') == 1
        assert "$" not in text


async def test_all_that_the_pages_load_is_there_and_nothing_else(gateway: Gateway) -> None:
    wanted = {name for path in PAGES for name in LOADED.findall((await get(gateway, path)).text)}
    names = {name.removeprefix("/console/") for name in wanted}
    while missing := {each for name in names if name.endswith(".js") for each in imports(name)} - names:
        names |= missing
    assert names == set(read_assets())
    for name in names:
        assert (await get(gateway, f"/console/{name}")).status_code == 200


def imports(name: str) -> list[str]:
    return IMPORTED.findall((STATIC / name).read_text())


async def test_a_file_that_has_not_changed_is_not_sent_again(gateway: Gateway) -> None:
    first = await get(gateway, "/console/console.css")
    again = await get(gateway, "/console/console.css", **{"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert first.headers["cache-control"] == "no-cache"
    assert "content-security-policy" in again.headers


@pytest.mark.parametrize("name", ["nothing.js", "..%2froutes.py", "%2e%2e%2froutes.py", "routes.py"])
async def test_what_is_no_file_of_the_console_is_not_found(gateway: Gateway, name: str) -> None:
    answer = await get(gateway, f"/console/{name}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


async def test_head_answers_as_get_does_without_the_page(gateway: Gateway) -> None:
    answer = await gateway.client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")


def token(gateway: Gateway) -> dict[str, str]:
    return {"Authorization": f"Bearer {gateway.key.token()}"}


@pytest.mark.parametrize("path", ["/v1/status", "/v1/model"])
async def test_the_numbers_and_the_card_are_for_signed_in_users(gateway: Gateway, path: str) -> None:
    answer = await get(gateway, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "token_missing")


async def test_the_status_counts_and_names_no_address(gateway: Gateway) -> None:
    answer = await get(gateway, "/v1/status", **token(gateway))
    assert answer.status_code == 200
    assert answer.json()["recent"] == answer.json()["recent"] | {"answered": 0, "failed": {}, "p50Ms": None}
    assert "127.0.0.1" not in answer.text


async def test_without_a_model_repository_the_card_is_not_found_and_the_setting_is_named(gateway: Gateway) -> None:
    answer = await get(gateway, "/v1/model", **token(gateway))
    assert answer.status_code == 404
    assert "FROND_MODEL_REPOSITORY" in answer.json()["error"]["message"]


def test_the_card_of_the_repository_is_the_active_releases() -> None:
    served = RepositoryCards(ROOT / "model_repository").read()
    assert served.version == "1"
    assert served.card is not None
    assert served.card["model"]["version"] == "1"


def test_a_release_that_nobody_measured_has_no_card(tmp_path: Path) -> None:
    (tmp_path / "releases.json").write_text(json.dumps({"active": "2", "releases": {"1": "one", "2": "two"}}))
    served = RepositoryCards(tmp_path).read()
    assert (served.version, served.releases, served.card) == ("2", ("1", "2"), None)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"active": "2", "releases": {}}',
        '{"active": "1", "releases": {"1": 1}}',
        "[" * 100_000,
    ],
)
def test_a_repository_that_cannot_be_read_is_a_server_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "releases.json").write_text(content)
    with pytest.raises(ServerError):
        RepositoryCards(tmp_path).read()


def test_no_repository_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        RepositoryCards(None).read()
