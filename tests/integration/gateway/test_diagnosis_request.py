"""A diagnosis over HTTP: both forms of the request, and what is wrong with some of them. Triton is a fake here."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from frond.types import MAX_IMAGE_BYTES, MAX_IMAGES, DiagnosisResponse
from tests.gateways import ALICE, BOB, DETAILS, PATH, form, photo_answer, png, sha256

if TYPE_CHECKING:
    import httpx2

    from tests.gateways import FakeDiagnoser, Gateway

BROKEN = b"no photo at all"


def code_of(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


async def test_photos_get_a_diagnosis_in_the_shape_of_the_contract(gateway: Gateway, diagnoser: FakeDiagnoser) -> None:
    photos = png(1), png(2)
    response = await gateway.diagnose(*photos, topK=3, modelVersion="2")
    assert response.status_code == 200
    answer = DiagnosisResponse.model_validate_json(response.content)
    assert answer.result is not None
    assert [image.sha256 for image in answer.result.images] == [sha256(photo) for photo in photos]
    assert answer.result.predictions[0].label == "Tomato___Late_blight"
    assert answer.request_id == response.headers["x-request-id"]
    assert diagnoser.asked == [(2, 3, "2")]


async def test_the_times_of_the_stages_add_up_to_no_more_than_the_total(gateway: Gateway) -> None:
    timing = (await gateway.diagnose(png())).json()["result"]["timingMs"]
    assert timing["decode"] == 2.0
    assert timing["infer"] == 6.0
    assert timing["queue"] == pytest.approx(4.0)  # of the 12 ms that the fake says its call took
    assert timing["total"] > 0


async def test_uploaded_photos_are_diagnosed_by_their_urls(gateway: Gateway) -> None:
    photo = png()
    ticket = await gateway.upload(photo)
    response = await gateway.diagnose_urls((photo, ticket["downloadUrl"]))
    assert response.status_code == 200
    assert response.json()["result"]["images"][0]["sha256"] == sha256(photo)


async def test_of_three_photos_the_broken_one_fails_alone(gateway: Gateway, diagnoser: FakeDiagnoser) -> None:
    response = await gateway.diagnose(png(1), BROKEN, png(2))
    assert response.status_code == 200
    images = response.json()["result"]["images"]
    assert [image["error"] and image["error"]["code"] for image in images] == [None, "image_type_unsupported", None]
    assert [len(image["predictions"]) for image in images] == [1, 0, 1]
    assert [image["sha256"] for image in images] == [sha256(png(1)), sha256(BROKEN), sha256(png(2))]
    assert diagnoser.asked[0][0] == 2


async def test_a_photo_whose_pixels_only_the_model_finds_broken_fails_alone_too(
    gateway: Gateway, diagnoser: FakeDiagnoser
) -> None:
    diagnoser.content = json.dumps(with_broken_photo(photo_answer([b"", b""]), 1)).encode()
    images = (await gateway.diagnose(png(1), png(2))).json()["result"]["images"]
    assert [image["error"] and image["error"]["code"] for image in images] == [None, "image_truncated"]


async def test_when_no_photo_can_be_read_the_request_fails_with_the_code_of_the_first(
    gateway: Gateway, diagnoser: FakeDiagnoser
) -> None:
    bomb = png(side=16).replace((16).to_bytes(4) * 2, (60_000).to_bytes(4) * 2)
    assert code_of(await gateway.diagnose(bomb, BROKEN)) == (422, "image_too_many_pixels")
    assert diagnoser.asked == []


async def test_when_the_model_can_read_no_photo_the_request_fails_too(
    gateway: Gateway, diagnoser: FakeDiagnoser
) -> None:
    diagnoser.content = json.dumps(with_broken_photo(photo_answer([b""]), 0)).encode()
    assert code_of(await gateway.diagnose(png())) == (422, "image_truncated")


def with_broken_photo(answer: dict[str, Any], index: int) -> dict[str, Any]:
    error = {"category": "validation", "code": "image_truncated", "message": "cut", "retryable": False}
    answer["images"][index] |= {"predictions": [], "error": error | {"retryAfterMs": None}}
    return answer


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", json.dumps(photo_answer([b"", b""])).encode()], ids=["", "{", "[]", "{}", "2"]
)
async def test_an_answer_of_the_model_that_is_not_the_agreed_one_is_a_server_error(
    gateway: Gateway, diagnoser: FakeDiagnoser, content: bytes
) -> None:
    diagnoser.content = content or b" "
    assert code_of(await gateway.diagnose(png())) == (500, "model_answer_invalid")


async def test_a_photo_of_another_type_than_declared_fails_alone(gateway: Gateway) -> None:
    files = [*form(png(1)), ("images", ("b", png(2), "image/jpeg"))]
    response = await gateway.client.post(PATH, files=files, headers=gateway.headers())
    assert response.json()["result"]["images"][1]["error"]["code"] == "image_type_mismatch"


@pytest.mark.parametrize("declared", ["", "application/octet-stream", "image/png; charset=binary"])
async def test_a_photo_may_come_without_a_type_that_says_something(gateway: Gateway, declared: str) -> None:
    files = [*form(), ("images", ("b", png(), declared))]
    response = await gateway.client.post(PATH, files=files, headers=gateway.headers())
    assert response.status_code == 200


async def test_declared_photos_must_be_the_ones_that_come(gateway: Gateway) -> None:
    photo = png()
    declared = {"sha256": sha256(photo), "contentType": "image/png", "bytes": len(photo)}
    changes = {
        (200, None): declared,
        (422, "image_hash_mismatch"): declared | {"sha256": "0" * 64},
        (422, "image_size_mismatch"): declared | {"bytes": 5},
        (422, "image_type_mismatch"): declared | {"contentType": "image/webp"},
        (422, "request_invalid"): declared | {"url": "http://photos.test/x"},
    }
    for expected, image in changes.items():
        response = await gateway.diagnose(photo, images=[image])
        assert (response.status_code, (response.json()["error"] or {}).get("code")) == expected
    assert code_of(await gateway.diagnose(photo, photo, images=[declared])) == (422, "image_count_invalid")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"assessmentId": None}, "assessmentId"),
        ({"plantContext": {}}, "plantContext.id"),
        ({"topK": 0}, "topK"),
        ({"topK": "5"}, "topK"),
        ({"topK": 101}, "topK"),
        ({"client": {"secret": 1}}, "client.secret"),
        ({"unknown": 1}, "unknown"),
        ({"top_k": 5}, "top_k"),
        ({"assessmentId": "nul \u0000"}, "assessmentId"),
        ({"assessmentId": "a" * 201}, "assessmentId"),
    ],
    ids=str,
)
async def test_a_field_that_breaks_the_contract_is_named(gateway: Gateway, change: dict[str, Any], named: str) -> None:
    response = await gateway.diagnose(png(), **change)
    assert code_of(response) == (422, "request_invalid")
    assert response.json()["error"]["message"].startswith(f"{named}: ")


async def test_any_text_in_a_name_is_stored_and_answered(gateway: Gateway) -> None:
    response = await gateway.diagnose(png(), assessmentId="Rosenstöckchen 🌹 \u2028 'quoted' \\ %s")
    assert response.status_code == 200


@pytest.mark.parametrize("text", ["", "{", "[1,", "\ud83d".encode("utf-8", "surrogatepass").decode("latin-1")])
async def test_a_request_part_that_is_no_json_is_malformed(gateway: Gateway, text: str) -> None:
    response = await gateway.client.post(PATH, files=form(png(), details=text or " "), headers=gateway.headers())
    assert code_of(response) == (400, "request_malformed")


async def test_the_limits_of_a_request_are_enforced(gateway: Gateway) -> None:
    too_many = [png(shade) for shade in range(MAX_IMAGES + 1)]
    assert code_of(await gateway.diagnose(*too_many)) == (422, "image_count_invalid")
    assert code_of(await gateway.diagnose()) == (422, "image_count_invalid")
    too_large = png(metadata=b"x" * MAX_IMAGE_BYTES)
    assert code_of(await gateway.diagnose(too_large)) == (413, "image_too_large")
    response = await gateway.client.post(PATH, files=form(png(), details=" " * 70_000), headers=gateway.headers())
    assert code_of(response) == (413, "body_too_large")


async def test_eight_photos_are_not_too_many(gateway: Gateway, diagnoser: FakeDiagnoser) -> None:
    response = await gateway.diagnose(*[png(shade) for shade in range(MAX_IMAGES)])
    assert response.status_code == 200
    assert diagnoser.asked[0][0] == MAX_IMAGES


async def test_a_body_that_announces_too_much_is_refused_unread(gateway: Gateway) -> None:
    headers = gateway.headers() | {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(10**9)}
    port = gateway.client.base_url.port
    lines = [f"POST {PATH} HTTP/1.1", "Host: here", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join(lines).encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    writer.close()


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_of_another_kind_is_refused(gateway: Gateway, content_type: str) -> None:
    headers = gateway.headers() | {"Content-Type": content_type}
    assert code_of(await gateway.client.post(PATH, content=b"x", headers=headers)) == (415, "content_type_unsupported")


@pytest.mark.parametrize(
    ("value", "code"),
    [(None, "idempotency_key_missing"), ("", "idempotency_key_invalid"), ("{6f1c}", "idempotency_key_invalid")],
)
async def test_without_a_good_idempotency_key_nothing_is_done(
    gateway: Gateway, diagnoser: FakeDiagnoser, value: str | None, code: str
) -> None:
    headers = gateway.headers()
    del headers["Idempotency-Key"]
    if value is not None:
        headers["Idempotency-Key"] = value
    response = await gateway.client.post(PATH, files=form(png()), headers=headers)
    assert code_of(response) == (400, code)
    assert diagnoser.asked == []


async def test_two_idempotency_keys_are_one_too_many(gateway: Gateway) -> None:
    headers = [*gateway.headers().items(), ("Idempotency-Key", str(uuid.uuid4()))]
    assert code_of(await gateway.client.post(PATH, files=form(png()), headers=headers)) == (
        400,
        "idempotency_key_invalid",
    )


@pytest.mark.parametrize(("value", "expected"), [("-1", 400), ("1.5", 400), ("soon", 400), ("0", 504), ("4000", 200)])
async def test_the_callers_budget_is_a_whole_number_and_counts(gateway: Gateway, value: str, expected: int) -> None:
    headers = gateway.headers() | {"X-Frond-Deadline-Ms": value}
    response = await gateway.client.post(PATH, files=form(png()), headers=headers)
    assert response.status_code == expected


async def test_the_url_of_another_users_photo_is_refused_whether_it_exists_or_not(gateway: Gateway) -> None:
    there, not_there = png(1), png(2)
    await gateway.upload(there, user=BOB)
    answers = [
        await gateway.diagnose_urls((photo, gateway.signed_url(photo, user=BOB)), user=ALICE)
        for photo in (there, not_there)
    ]
    assert [code_of(answer) for answer in answers] == [(403, "object_forbidden")] * 2
    assert answers[0].json()["error"] == answers[1].json()["error"]


async def test_urls_are_held_to_what_was_signed(gateway: Gateway) -> None:
    photo, other = png(1), png(2)
    await gateway.upload(photo)
    good = gateway.signed_url(photo)
    cases: list[tuple[str, dict[str, Any], tuple[int, str]]] = [
        (good + "x", {}, (403, "url_signature_invalid")),
        (good.partition("?")[0], {}, (403, "url_signature_invalid")),
        (gateway.signed_url(photo, method="PUT"), {}, (403, "url_signature_invalid")),
        (gateway.signed_url(photo, seconds=-1), {}, (403, "url_expired")),
        (gateway.signed_url(other), {}, (422, "image_hash_mismatch")),
        (good, {"bytes": 7}, (422, "image_size_mismatch")),
        (good.replace("photos.test", "evil.test"), {}, (422, "image_url_foreign")),
        (good.replace("/v1/storage/", "/v1/storage/../"), {}, (422, "image_url_foreign")),
        ("http://photos.test/v1/storage/x", {}, (422, "image_url_foreign")),
        (good.replace("http", "file"), {}, (422, "request_invalid")),
    ]
    for url, image, expected in cases:
        assert code_of(await gateway.diagnose_urls((photo, url), **image)) == expected, url
    assert code_of(await gateway.diagnose_urls((other, gateway.signed_url(other)))) == (422, "image_not_uploaded")


async def test_a_photo_that_was_not_uploaded_yet_may_be_asked_about_again_under_the_same_key(gateway: Gateway) -> None:
    photo, key = png(), str(uuid.uuid4())
    url = gateway.signed_url(photo)
    assert (await gateway.diagnose_urls((photo, url), key=key)).status_code == 422
    await gateway.upload(photo)
    assert (await gateway.diagnose_urls((photo, url), key=key)).status_code == 200


async def test_the_json_form_needs_photos(gateway: Gateway) -> None:
    response = await gateway.client.post(PATH, json=DETAILS, headers=gateway.headers())
    assert code_of(response) == (422, "request_invalid")


async def test_the_token_is_asked_for_first(gateway: Gateway) -> None:
    response = await gateway.client.post(PATH, content=b"", headers={})
    assert code_of(response) == (401, "token_missing")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("name", ["\x00", "\ud800", float("inf")], ids=["zero", "half a character", "infinity"])
async def test_claims_that_the_database_cannot_hold_make_a_token_invalid(gateway: Gateway, name: Any) -> None:
    headers = gateway.headers() | {"Authorization": f"Bearer {gateway.key.token(name={'nick': [name]})}"}
    response = await gateway.client.post(PATH, files=form(png()), headers=headers)
    assert code_of(response) == (401, "token_invalid")
