"""The same request sent again: answered from the store, refused, or tried anew."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import (
    GatewayError,
    ModelAnswerError,
    ModelFailedError,
    ModelVersionUnknownError,
    OverloadedError,
    TritonUnavailableError,
)
from tests.gateways import ALICE, BOB, NOWHERE, Gateway, form, parts_with, png, serve, settings_in
from tests.integration.gateway.round_trips import counted

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateways import FakeDiagnoser, SigningKey
    from tests.integration.gateway.conftest import Database


@pytest.fixture
def idempotency_key() -> str:
    return str(uuid.uuid4())


async def test_a_request_sent_again_gets_the_same_bytes_and_no_second_inference(
    gateway: Gateway, diagnoser: FakeDiagnoser, idempotency_key: str
) -> None:
    first = await gateway.diagnose(png(), key=idempotency_key)
    again = await gateway.diagnose(png(), key=idempotency_key)
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len(diagnoser.asked) == 1


async def test_a_replay_has_the_request_id_of_its_own_request_in_the_header_only(
    gateway: Gateway, idempotency_key: str
) -> None:
    first = await gateway.diagnose(png(), key=idempotency_key)
    again = await gateway.diagnose(png(), key=idempotency_key)
    assert again.json()["requestId"] == first.headers["x-request-id"] != again.headers["x-request-id"]


async def test_the_alias_of_the_path_shares_the_keys(gateway: Gateway, idempotency_key: str) -> None:
    first = await gateway.diagnose(png(), key=idempotency_key)
    headers = gateway.headers(idempotency_key=idempotency_key)
    again = await gateway.client.post("/functions/v1/ai-inference", files=form(png()), headers=headers)
    assert again.content == first.content


@pytest.mark.parametrize("change", [{"topK": 2}, {"assessmentId": "another"}, {"modelVersion": "2"}], ids=str)
async def test_another_question_under_the_same_key_is_refused(
    gateway: Gateway, idempotency_key: str, change: dict[str, Any]
) -> None:
    await gateway.diagnose(png(), key=idempotency_key)
    refused = await gateway.diagnose(png(), key=idempotency_key, **change)
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "idempotency_key_reused"


async def test_another_photo_under_the_same_key_is_refused(gateway: Gateway, idempotency_key: str) -> None:
    await gateway.diagnose(png(1), key=idempotency_key)
    refused = await gateway.diagnose(png(2), key=idempotency_key)
    assert refused.json()["error"]["code"] == "idempotency_key_reused"


async def test_another_user_may_use_the_same_key(gateway: Gateway, idempotency_key: str) -> None:
    await gateway.diagnose(png(1), key=idempotency_key, user=ALICE)
    response = await gateway.diagnose(png(2), key=idempotency_key, user=BOB)
    assert response.status_code == 200
    assert "idempotency-replayed" not in response.headers


async def test_a_rejection_that_would_always_be_the_same_is_replayed(
    gateway: Gateway, diagnoser: FakeDiagnoser, idempotency_key: str
) -> None:
    diagnoser.error = ModelVersionUnknownError("There is no model version 7.")
    first = await gateway.diagnose(png(), key=idempotency_key, modelVersion="7")
    diagnoser.error = None
    again = await gateway.diagnose(png(), key=idempotency_key, modelVersion="7")
    assert first.status_code == again.status_code == 422
    assert first.content == again.content
    assert again.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    "error",
    [
        TritonUnavailableError("out"),
        OverloadedError("full"),
        ModelFailedError("stub"),
        ModelAnswerError("form"),
    ],
    ids=lambda error: error.code,
)
async def test_after_a_failure_that_may_pass_the_same_key_is_free_at_once(
    gateway: Gateway, diagnoser: FakeDiagnoser, idempotency_key: str, error: GatewayError
) -> None:
    diagnoser.error = error
    failed = await gateway.diagnose(png(), key=idempotency_key)
    assert (failed.status_code, failed.json()["error"]["code"]) == (error.status, error.code)
    diagnoser.error = None
    assert (await gateway.diagnose(png(), key=idempotency_key)).status_code == 200


async def test_after_a_bug_the_answer_is_an_internal_error_and_the_key_is_free(
    gateway: Gateway, diagnoser: FakeDiagnoser, idempotency_key: str, caplog: pytest.LogCaptureFixture
) -> None:
    diagnoser.error = RuntimeError("a bug")
    failed = await gateway.diagnose(png(), key=idempotency_key)
    assert (failed.status_code, failed.json()["error"]["code"]) == (500, "internal_error")
    assert sum(record.exc_info is not None for record in caplog.records) == 1
    diagnoser.error = None
    assert (await gateway.diagnose(png(), key=idempotency_key)).status_code == 200


async def test_what_is_stored_names_no_url_and_keeps_the_answer(
    gateway: Gateway, shared_database: Database, idempotency_key: str
) -> None:
    photo = png()
    urls = await gateway.upload(photo)
    response = await gateway.diagnose_urls((photo, urls["downloadUrl"]), key=idempotency_key)
    assert response.status_code == 200
    async with shared_database.owner() as owner:
        query = "select k.*, k::text as text from public.idempotency_keys k where idempotency_key = $1"
        row = await owner.fetchrow(query, idempotency_key)
    assert row is not None
    assert row["response_payload"].encode() == response.content
    assert (row["status"], row["client_tx_id"]) == ("completed", "assessment-456")
    assert "signature" not in row["text"]
    assert "http" not in row["text"]


async def test_a_retry_with_fresh_urls_is_the_same_request(
    gateway: Gateway, diagnoser: FakeDiagnoser, idempotency_key: str
) -> None:
    photo = png()
    await gateway.upload(photo)
    first = await gateway.diagnose_urls((photo, gateway.signed_url(photo, seconds=60)), key=idempotency_key)
    again = await gateway.diagnose_urls((photo, gateway.signed_url(photo, seconds=90)), key=idempotency_key)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.content == first.content
    assert len(diagnoser.asked) == 1


async def test_a_new_request_takes_two_round_trips_and_a_replay_one(
    tmp_path: Path, key: SigningKey, database: Database, diagnoser: FakeDiagnoser, idempotency_key: str
) -> None:
    async with counted(database.gateway_url) as counter:
        settings = settings_in(tmp_path, key, database_url=counter.url)
        async with serve(settings, parts_with(diagnoser)) as client:
            gateway = Gateway(client, key, settings)
            await gateway.diagnose(png())  # statements are prepared once for each connection
            counter.take()
            await gateway.diagnose(png(), key=idempotency_key)
            assert counter.take() == 2
            await gateway.diagnose(png(), key=idempotency_key)
            assert counter.take() == 1


async def test_without_a_database_the_answer_is_quick_and_says_to_try_again(
    tmp_path: Path, key: SigningKey, diagnoser: FakeDiagnoser
) -> None:
    settings = settings_in(tmp_path, key, database_url=NOWHERE)
    async with serve(settings, parts_with(diagnoser)) as client, asyncio.timeout(1):
        response = await Gateway(client, key, settings).diagnose(png())
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["retryable"]) == (503, "database_unavailable", True)
    assert diagnoser.asked == []


async def test_a_database_that_hangs_is_given_up_on_while_the_caller_still_waits(
    tmp_path: Path, key: SigningKey, shared_database: Database, diagnoser: FakeDiagnoser
) -> None:
    async with counted(shared_database.gateway_url) as counter:
        settings = settings_in(tmp_path, key, database_url=counter.url)
        async with serve(settings, parts_with(diagnoser)) as client:
            gateway = Gateway(client, key, settings)
            assert (await gateway.diagnose(png())).status_code == 200
            counter.is_stalled = True
            async with asyncio.timeout(4):
                response = await gateway.diagnose(png())
            assert response.json()["error"]["code"] == "database_unavailable"
            counter.is_stalled = False
            assert (await gateway.diagnose(png())).status_code == 200


async def test_what_is_left_of_the_rate_is_told_with_new_answers_and_refusals_and_replays_are_free(
    tmp_path: Path, key: SigningKey, shared_database: Database, diagnoser: FakeDiagnoser, idempotency_key: str
) -> None:
    limits = {"rate_limit_burst": 2, "rate_limit_per_minute": 6}
    settings = settings_in(tmp_path, key, database_url=shared_database.gateway_url, **limits)
    async with serve(settings, parts_with(diagnoser)) as client:
        gateway, user = Gateway(client, key, settings), uuid.uuid4()
        answers = [await gateway.diagnose(png(), user=user, key=idempotency_key) for _ in range(3)]
        answers += [await gateway.diagnose(png(), user=user) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    assert [answer.headers.get("ratelimit-policy") for answer in answers] == [
        '"user";q=2;w=20',
        None,
        None,
        '"user";q=2;w=20',
        '"user";q=2;w=20',
    ]
    assert [answer.headers.get("ratelimit", "").partition(";t=")[0] for answer in answers] == [
        '"user";r=1',
        "",
        "",
        '"user";r=0',
        '"user";r=0',
    ]
    error = answers[-1].json()["error"]
    assert (error["category"], error["code"], error["retryable"]) == ("server", "rate_limited", True)
    assert 0 < error["retryAfterMs"] <= 10_000
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 10
