"""The same request while the first one is at work: one inference, whoever waits, hangs up or fails."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from gateway.errors import ModelFailedError, TritonUnavailableError
from tests.gateways import PATH, FakeDiagnoser, Gateway, form, parts_with, png, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

    from tests.integration.gateway.conftest import Database


@pytest.fixture
def idempotency_key() -> str:
    return str(uuid.uuid4())


@asynccontextmanager
async def at_work(gateway: Gateway, diagnoser: FakeDiagnoser, key: str) -> AsyncIterator[asyncio.Task[httpx2.Response]]:
    """A first request, which the model has and will not answer before the test lets it."""
    diagnoser.gate = asyncio.Event()
    first = asyncio.create_task(gateway.diagnose(png(), key=key))
    await diagnoser.waiting.wait()
    yield first
    diagnoser.gate.set()
    await asyncio.gather(first, return_exceptions=True)


async def is_awaited(database: Database, key: str) -> None:
    """Return when somebody waits for the answer under the key."""
    async with database.owner() as owner:
        query = "select awaited from public.idempotency_keys where idempotency_key = $1"
        while not await owner.fetchval(query, key):  # noqa: ASYNC110  (it is a row, and no event)
            await asyncio.sleep(0.01)


async def hang_up(request: asyncio.Task[httpx2.Response]) -> None:
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)


async def test_it_waits_and_gets_the_same_bytes(
    gateway: Gateway, diagnoser: FakeDiagnoser, shared_database: Database, idempotency_key: str
) -> None:
    async with at_work(gateway, diagnoser, idempotency_key) as first:
        duplicates = [asyncio.create_task(gateway.diagnose(png(), key=idempotency_key)) for _ in range(5)]
        await is_awaited(shared_database, idempotency_key)
        assert diagnoser.gate is not None
        diagnoser.gate.set()
        answers = [await duplicate for duplicate in duplicates]
        expected = (await first).content
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, expected)}
    assert {answer.headers["idempotency-replayed"] for answer in answers} == {"true"}
    assert len(diagnoser.asked) == 1


async def test_it_waits_for_the_answer_of_another_gateway(
    gateway: Gateway, diagnoser: FakeDiagnoser, shared_database: Database, idempotency_key: str
) -> None:
    idle, settings = FakeDiagnoser(), gateway.settings
    async with serve(settings, parts_with(idle)) as client, at_work(gateway, diagnoser, idempotency_key) as first:
        other = Gateway(client, gateway.key, settings)
        duplicate = asyncio.create_task(other.diagnose(png(), key=idempotency_key))
        await is_awaited(shared_database, idempotency_key)
        assert diagnoser.gate is not None
        diagnoser.gate.set()
        assert (await duplicate).content == (await first).content
    assert idle.asked == []


async def test_whose_deadline_comes_first_is_told_to_come_again(
    gateway: Gateway, diagnoser: FakeDiagnoser, idempotency_key: str
) -> None:
    async with at_work(gateway, diagnoser, idempotency_key) as first:
        headers = gateway.headers(idempotency_key=idempotency_key) | {"X-Frond-Deadline-Ms": "300"}
        duplicate = await gateway.client.post(PATH, files=form(png()), headers=headers)
        error = duplicate.json()["error"]
        assert duplicate.status_code == 409
        assert (error["category"], error["code"], error["retryable"]) == ("server", "request_in_flight", True)
        assert duplicate.headers["retry-after"] == "1"
        assert 0 < error["retryAfterMs"] <= 1000
        assert diagnoser.gate is not None
        diagnoser.gate.set()
        assert (await first).status_code == 200


async def test_where_the_first_one_fails_the_next_one_begins_anew(
    gateway: Gateway, diagnoser: FakeDiagnoser, shared_database: Database, idempotency_key: str
) -> None:
    async with at_work(gateway, diagnoser, idempotency_key) as first:
        duplicate = asyncio.create_task(gateway.diagnose(png(), key=idempotency_key))
        await is_awaited(shared_database, idempotency_key)
        gate, diagnoser.gate = diagnoser.gate, None
        diagnoser.error = ModelFailedError("once")
        assert gate is not None
        gate.set()
        assert (await first).status_code == 503
        assert (await duplicate).status_code == 503
        assert len(diagnoser.asked) == 2
        diagnoser.gate = gate


async def test_who_hangs_up_alone_cancels_the_inference_and_frees_the_key(
    gateway: Gateway, diagnoser: FakeDiagnoser, idempotency_key: str
) -> None:
    async with at_work(gateway, diagnoser, idempotency_key) as first:
        gate, diagnoser.gate = diagnoser.gate, None  # the first attempt waits for ever; the next one does not wait
        await hang_up(first)
        response = await gateway.diagnose(png(), key=idempotency_key)
        diagnoser.gate = gate
    assert response.status_code == 200
    assert diagnoser.was_cancelled
    assert len(diagnoser.asked) == 2


async def test_who_hangs_up_while_another_one_waits_leaves_the_answer_to_that_one(
    gateway: Gateway, diagnoser: FakeDiagnoser, shared_database: Database, idempotency_key: str
) -> None:
    async with at_work(gateway, diagnoser, idempotency_key) as first:
        duplicate = asyncio.create_task(gateway.diagnose(png(), key=idempotency_key))
        await is_awaited(shared_database, idempotency_key)
        await hang_up(first)
        await asyncio.sleep(0.1)  # a cancellation would arrive now
        assert diagnoser.gate is not None
        diagnoser.gate.set()
        response = await duplicate
    assert (response.status_code, response.headers["idempotency-replayed"]) == (200, "true")
    assert not diagnoser.was_cancelled
    assert len(diagnoser.asked) == 1


async def test_it_is_joined_and_replayed_even_while_the_model_is_out_and_nothing_new_begins(
    gateway: Gateway, diagnoser: FakeDiagnoser, shared_database: Database, idempotency_key: str
) -> None:
    async with at_work(gateway, diagnoser, idempotency_key) as first:
        diagnoser.refusal = TritonUnavailableError("out")
        duplicate = asyncio.create_task(gateway.diagnose(png(), key=idempotency_key))
        await is_awaited(shared_database, idempotency_key)
        assert diagnoser.gate is not None
        diagnoser.gate.set()
        assert (await duplicate).content == (await first).content
    replayed = await gateway.diagnose(png(), key=idempotency_key)
    assert replayed.headers["idempotency-replayed"] == "true"
    new_key = str(uuid.uuid4())
    refused = await gateway.diagnose(png(), key=new_key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "triton_unavailable")
    async with shared_database.owner() as owner:
        assert not await owner.fetchval("select count(*) from idempotency_keys where idempotency_key = $1", new_key)
