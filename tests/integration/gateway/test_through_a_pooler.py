"""Through a pooler in transaction mode everything holds, with one connection behind it that all share, or some."""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import TYPE_CHECKING

import asyncpg
import pytest

from gateway import announcements as announcements_module
from gateway.announcements import open_announcements
from gateway.database import open_database
from tests.gateways import ALICE, BOB, FakeDiagnoser, Gateway, SigningKey, parts_with, png, serve, settings_in
from tests.pooler import Pooler, running_pooler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.integration.gateway.conftest import Database

SECONDS = 20
AWAITED = "select awaited from public.idempotency_keys where idempotency_key = $1"
CROWD = 40  # more than the gateway has connections, and than the pooler has behind it


@pytest.fixture(scope="module", params=[1, 3], ids=["one connection", "three connections"])
def pooler(request: pytest.FixtureRequest, shared_database: Database) -> Iterator[Pooler]:
    with running_pooler(shared_database.gateway_url, request.param) as running:
        yield running


@pytest.fixture
async def pooled(
    tmp_path: Path, key: SigningKey, pooler: Pooler, diagnoser: FakeDiagnoser
) -> AsyncIterator[tuple[Gateway, Gateway]]:
    """Two gateways behind the same pooler."""
    settings = settings_in(tmp_path, key, database_url=pooler.url)
    async with serve(settings, parts_with(diagnoser)) as first, serve(settings, parts_with(diagnoser)) as second:
        yield Gateway(first, key, settings), Gateway(second, key, settings)


async def test_statements_are_answered_each_with_its_own_answer(
    pooler: Pooler, caplog: pytest.LogCaptureFixture
) -> None:
    query = "select $1::int as number, pg_backend_pid() as server, pg_sleep(0.005)"
    async with open_database(pooler.url) as one, open_database(pooler.url) as another:
        asked = ((one if number % 2 else another).fetch_row(query, number) for number in range(CROWD))
        rows = await asyncio.gather(*asked)
    assert [row["number"] for row in rows] == list(range(CROWD))
    assert len({row["server"] for row in rows}) == pooler.servers
    warned = [record for record in caplog.records if "loses prepared statements" in record.message]
    # With one connection behind it nothing is ever somewhere else; with several, old poolers lose what was prepared.
    assert len(warned) <= (0 if pooler.keeps_statements else 2)
    assert warned or pooler.keeps_statements or pooler.servers == 1


async def test_two_users_in_turns_on_one_connection_have_their_own_keys_and_answers(
    pooled: tuple[Gateway, Gateway], shared_database: Database
) -> None:
    keys = [str(uuid.uuid4()) for _ in range(10)]
    asked = [
        (pooled[(number + turn) % 2], png(shade=number), user, key)
        for number, key in enumerate(keys)
        for turn, user in enumerate((ALICE, BOB))
    ]
    first = await asyncio.gather(*(to.diagnose(photo, user=user, key=key) for to, photo, user, key in asked))
    again = await asyncio.gather(*(to.diagnose(photo, user=user, key=key) for to, photo, user, key in asked))
    assert {answer.status_code for answer in (*first, *again)} == {200}
    assert [answer.content for answer in again] == [answer.content for answer in first]
    assert len({answer.json()["requestId"] for answer in again}) == len(asked)
    assert {answer.headers["idempotency-replayed"] for answer in again} == {"true"}
    async with shared_database.owner() as owner:
        query = "select user_id, count(*) from public.idempotency_keys where idempotency_key = any($1) group by 1"
        counts = {row["user_id"]: row["count"] for row in await owner.fetch(query, keys)}
    assert counts == {ALICE: len(keys), BOB: len(keys)}


async def test_another_users_key_is_another_key(pooled: tuple[Gateway, Gateway]) -> None:
    """Were it the same row, the second one's payload would not fit the first one's: 422."""
    key = str(uuid.uuid4())
    assert (await pooled[0].diagnose(png(1), user=ALICE, key=key)).status_code == 200
    assert (await pooled[0].diagnose(png(2), user=BOB, key=key)).status_code == 200
    assert (await pooled[0].diagnose(png(2), user=ALICE, key=key)).status_code == 422


async def test_what_a_statement_was_allowed_ends_with_it(pooled: tuple[Gateway, Gateway], pooler: Pooler) -> None:
    await pooled[0].diagnose(png())
    left = "select current_user as role, current_setting('request.jwt.claims', true) as claims, pg_backend_pid() as pid"
    async with asyncio.timeout(SECONDS):
        connections = [await asyncpg.connect(pooler.url, statement_cache_size=0) for _ in range(pooler.servers)]
        try:
            rows = await asyncio.gather(*(connection.fetchrow(left) for connection in connections))
        finally:
            await asyncio.gather(*(connection.close() for connection in connections))
    assert {row["role"] for row in rows if row} == {"frond_gateway"}
    assert {row["claims"] or "" for row in rows if row} == {""}


async def test_a_duplicate_waits_for_the_answer_that_another_gateway_gives(
    pooled: tuple[Gateway, Gateway], diagnoser: FakeDiagnoser, shared_database: Database
) -> None:
    key, diagnoser.gate = str(uuid.uuid4()), asyncio.Event()
    first = asyncio.create_task(pooled[0].diagnose(png(), key=key))
    await diagnoser.waiting.wait()
    duplicates = [asyncio.create_task(gateway.diagnose(png(), key=key)) for gateway in pooled * 3]
    async with asyncio.timeout(SECONDS), shared_database.owner() as owner:
        while not await owner.fetchval(AWAITED, key):  # noqa: ASYNC110  (it is a row, and no event)
            await asyncio.sleep(0.02)
    diagnoser.gate.set()
    answers = [await duplicate for duplicate in duplicates]
    assert {answer.content for answer in answers} == {(await first).content}
    assert {answer.headers["idempotency-replayed"] for answer in answers} == {"true"}
    assert len(diagnoser.asked) == 1


async def test_announcements_do_not_come_through_it_and_the_gateway_notices(
    pooler: Pooler, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the same connection of the server may have listened and announced."""
    monkeypatch.setattr(announcements_module, "ECHO_SECONDS", 0.5)
    caplog.set_level(logging.WARNING)
    async with open_database(pooler.url) as database, open_announcements(pooler.url, database) as announcements:
        async with asyncio.timeout(SECONDS):
            while "not listening" not in caplog.text:  # noqa: ASYNC110  (it is a line of the log)
                await asyncio.sleep(0.02)
        assert not announcements.is_listening


async def test_past_it_they_come(pooler: Pooler, shared_database: Database) -> None:
    """FROND_DATABASE_LISTEN_URL: the listening connection alone goes to the server itself."""
    direct = shared_database.gateway_url
    async with open_database(pooler.url) as database, open_announcements(direct, database) as announcements:
        async with asyncio.timeout(SECONDS):
            while not announcements.is_listening:  # noqa: ASYNC110  (it is a fact, not an event)
                await asyncio.sleep(0.02)
