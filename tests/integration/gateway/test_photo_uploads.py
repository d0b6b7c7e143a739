"""Photos sent ahead: tickets, the signed PUT and GET, and the files behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from frond.types import MAX_IMAGE_BYTES, MAX_IMAGES, UploadResponse
from tests.gateways import ALICE, BOB, Gateway, png, serve, settings_in, sha256

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from tests.gateways import SigningKey


def code_of(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def local(url: str) -> str:
    return url.removeprefix("http://photos.test")


async def test_an_uploaded_photo_can_be_downloaded(gateway: Gateway) -> None:
    ticket = await gateway.upload(png())
    response = await gateway.client.get(local(ticket["downloadUrl"]))
    assert response.content == png()
    assert response.headers["content-type"] == "image/png"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_ticket_lasts_an_hour_for_the_download_and_lies_below_the_user(gateway: Gateway) -> None:
    response = await gateway.ask_for_urls(png())
    answer = UploadResponse.model_validate_json(response.content)
    assert answer.result is not None
    assert answer.result.download_expires_in_seconds == 3600
    for url in (answer.result.upload_url, answer.result.download_url):
        assert str(url).startswith(f"http://photos.test/v1/storage/{ALICE}/{sha256(png())}.png?")


async def test_a_photo_can_be_uploaded_twice(gateway: Gateway) -> None:
    await gateway.upload(png())
    await gateway.upload(png())


async def test_the_file_appears_whole_and_alone_and_private(gateway: Gateway) -> None:
    await gateway.upload(png())
    folder = gateway.storage_dir / str(ALICE)
    assert [path.name for path in folder.iterdir()] == [f"{sha256(png())}.png"]
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("changed", ["longer", "shorter", "other"])
async def test_other_bytes_than_the_announced_ones_are_refused_and_leave_no_file(
    gateway: Gateway, changed: str
) -> None:
    photo = png()
    sent = {"longer": photo + b"x", "shorter": photo[:-1], "other": bytes(len(photo))}[changed]
    codes = {"longer": (413, "body_too_large"), "shorter": (422, "image_size_mismatch")}
    ticket = (await gateway.ask_for_urls(photo)).json()["result"]
    assert code_of(await gateway.put(ticket, sent)) == codes.get(changed, (422, "image_hash_mismatch"))
    assert not [path for path in gateway.storage_dir.rglob("*") if path.is_file()]


async def test_another_content_type_than_the_announced_one_is_refused(gateway: Gateway) -> None:
    ticket = (await gateway.ask_for_urls(png())).json()["result"]
    response = await gateway.put(ticket, png(), **{"Content-Type": "text/html"})
    assert code_of(response) == (415, "content_type_unsupported")


@pytest.mark.parametrize("part", ["bytes=", "expires=", "signature=", f"{ALICE}/", ".png"])
async def test_whatever_is_changed_in_a_signed_url_makes_it_invalid(gateway: Gateway, part: str) -> None:
    changes = {f"{ALICE}/": f"{BOB}/", ".png": ".jpg"}
    ticket = (await gateway.ask_for_urls(png())).json()["result"]
    url = ticket["uploadUrl"].replace(part, changes.get(part, part + "1"))
    assert url != ticket["uploadUrl"]
    headers = {"Content-Type": "image/jpeg" if part == ".png" else "image/png"}
    response = await gateway.client.put(local(url), content=png(), headers=headers)
    assert code_of(response) == (403, "url_signature_invalid")


async def test_a_download_url_does_not_allow_an_upload(gateway: Gateway) -> None:
    ticket = (await gateway.ask_for_urls(png())).json()["result"]
    response = await gateway.put({**ticket, "uploadUrl": ticket["downloadUrl"]}, png())
    assert code_of(response) == (403, "url_signature_invalid")


@pytest.mark.parametrize("photo", [png(1), png(2)], ids=["there", "not there"])
async def test_an_unsigned_url_is_refused_whether_the_photo_exists_or_not(gateway: Gateway, photo: bytes) -> None:
    await gateway.upload(png(1))
    response = await gateway.client.get(f"/v1/storage/{ALICE}/{sha256(photo)}.png")
    assert code_of(response) == (403, "url_signature_invalid")


async def test_a_signed_url_of_nothing_is_not_found(gateway: Gateway) -> None:
    response = await gateway.client.get(local(gateway.signed_url(png())))
    assert code_of(response) == (404, "not_found")


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "..", "x.png", f"{'0' * 64}.svg"])
async def test_no_path_leaves_the_storage(gateway: Gateway, name: str) -> None:
    response = await gateway.client.get(f"/v1/storage/{ALICE}/{name}?bytes=1&expires=9999999999&signature=x")
    assert response.status_code in {403, 404}
    assert not response.json()["success"]


@pytest.mark.parametrize(
    "change", [{"bytes": 0}, {"bytes": MAX_IMAGE_BYTES + 1}, {"contentType": "image/gif"}], ids=str
)
async def test_a_photo_that_could_not_be_diagnosed_gets_no_ticket(gateway: Gateway, change: dict[str, Any]) -> None:
    assert code_of(await gateway.ask_for_urls(png(), **change)) == (422, "request_invalid")


async def test_a_ticket_needs_a_token(gateway: Gateway) -> None:
    assert code_of(await gateway.client.post("/v1/uploads", json={})) == (401, "token_missing")


async def test_a_disk_that_cannot_be_written_is_a_server_error(gateway: Gateway) -> None:
    (gateway.storage_dir / str(ALICE)).write_text("a file where the folder must be")
    ticket = (await gateway.ask_for_urls(png())).json()["result"]
    assert code_of(await gateway.put(ticket, png())) == (503, "storage_unavailable")


async def test_photos_are_taken_while_the_database_and_triton_are_out_up_to_the_rate(
    tmp_path: Path, key: SigningKey
) -> None:
    settings = settings_in(tmp_path, key, rate_limit_burst=1, rate_limit_per_minute=0.01)
    async with serve(settings) as client:
        gateway = Gateway(client, key, settings)
        for shade in range(MAX_IMAGES):
            await gateway.upload(png(shade))
        refused = await gateway.ask_for_urls(png())
        assert code_of(refused) == (429, "rate_limited")
        assert refused.headers["retry-after"] == str(-(-refused.json()["error"]["retryAfterMs"] // 1000))
        assert (await gateway.ask_for_urls(png(), user=BOB)).status_code == 200
