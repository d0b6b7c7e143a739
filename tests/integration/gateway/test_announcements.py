"""Who waits for another request's answer is woken, whichever gateway gave it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import pytest

from gateway import announcements as announcements_module
from gateway.announcements import PostgresAnnouncements, open_announcements
from gateway.database import open_database
from gateway.diagnoses.protocols import Found
from tests.gateways import ALICE, BOB, NOWHERE
from tests.integration.gateway.claims import ANSWER, LAPSED, claim_of, start
from tests.integration.gateway.round_trips import counted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.diagnoses.protocols import Claim
    from gateway.diagnoses.store import PostgresStore
    from tests.integration.gateway.conftest import Database

SECONDS = 20  # for a machine that is busy; what is waited for comes within milliseconds
LISTENERS = "select count(*) from pg_stat_activity where application_name = 'frond-gateway-listener'"


async def until(announcements: PostgresAnnouncements, *, is_listening: bool) -> None:
    async with asyncio.timeout(SECONDS):
        while announcements.is_listening is not is_listening:  # noqa: ASYNC110  (it is a fact, not an event)
            await asyncio.sleep(0.02)


class Faulty(PostgresAnnouncements):
    """Has a bug, which strikes once."""

    has_struck = False

    async def _listen(self) -> None:
        if not self.has_struck:
            self.has_struck = True
            raise RuntimeError("unthought of")
        await super()._listen()


@asynccontextmanager
async def listening(url: str, check_seconds: float = 10) -> AsyncIterator[PostgresAnnouncements]:
    async with open_database(url) as database:
        announcements = PostgresAnnouncements(url, database, check_seconds=check_seconds)
        task = asyncio.create_task(announcements.run())
        try:
            await until(announcements, is_listening=True)
            yield announcements
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def in_flight(store: PostgresStore) -> tuple[Claim, Claim]:
    """One who works on a key, and one who waits for that."""
    owner = claim_of(uuid4())
    waiting = claim_of(owner.key)
    await start(store, owner)
    assert await start(store, waiting) is Found.IN_FLIGHT
    return owner, waiting


@pytest.mark.parametrize("end", ["complete", "release"])
async def test_the_end_of_a_request_wakes_those_who_wait_in_every_gateway(
    store: PostgresStore, database: Database, end: str
) -> None:
    owner, waiting = await in_flight(store)
    async with AsyncExitStack() as stack:
        listeners = [await stack.enter_async_context(listening(database.gateway_url)) for _ in range(2)]
        events = [stack.enter_context(listener.expect(waiting)) for listener in listeners for _ in range(2)]
        await (store.complete(owner, ANSWER) if end == "complete" else store.release(owner))
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*(event.wait() for event in events))


async def test_a_user_id_in_capitals_is_the_same_user(store: PostgresStore, database: Database) -> None:
    owner, waiting = await in_flight(store)
    shouted = replace(
        owner, caller=replace(owner.caller, claims=owner.caller.claims.replace(str(ALICE), str(ALICE).upper()))
    )
    async with listening(database.gateway_url) as listener:
        with listener.expect(waiting) as event:
            await store.complete(shouted, ANSWER)
            async with asyncio.timeout(SECONDS):
                await event.wait()


async def test_the_end_of_another_request_wakes_nobody(store: PostgresStore, database: Database) -> None:
    owner, waiting = await in_flight(store)
    other, _ = await in_flight(store)
    same_key = claim_of(owner.key, user=BOB)
    await start(store, same_key)
    await start(store, claim_of(owner.key, user=BOB))
    async with listening(database.gateway_url) as listener:
        with listener.expect(waiting) as event, listener.expect(other) as last:
            await store.complete(same_key, ANSWER)
            await store.complete(other, ANSWER)
            async with asyncio.timeout(SECONDS):
                await last.wait()  # announcements come in the order of their commits
            assert not event.is_set()


async def test_the_end_of_what_nobody_waits_for_is_not_announced(store: PostgresStore, database: Database) -> None:
    alone = claim_of(uuid4())
    await start(store, alone)
    last, _ = await in_flight(store)
    async with listening(database.gateway_url) as listener:
        with listener.expect(alone) as event, listener.expect(last) as announced:
            await store.complete(alone, ANSWER)
            await store.complete(last, ANSWER)
            async with asyncio.timeout(SECONDS):
                await announced.wait()
            assert not event.is_set()


async def test_a_takeover_wakes_those_who_waited_for_the_one_before(store: PostgresStore, database: Database) -> None:
    _, waiting = await in_flight(store)
    async with database.owner() as owner, listening(database.gateway_url) as listener:
        await owner.execute("update public.idempotency_keys set leased_until = clock_timestamp()")
        with listener.expect(waiting) as event:
            assert await start(store, claim_of(waiting.key, lease=LAPSED)) is Found.TAKEN_OVER
            async with asyncio.timeout(SECONDS):
                await event.wait()


async def test_a_connection_that_breaks_is_made_again_and_everyone_looks(
    store: PostgresStore, database: Database
) -> None:
    owner, waiting = await in_flight(store)
    async with database.owner() as administrator, listening(database.gateway_url) as listener:
        with listener.expect(waiting) as event:
            await administrator.execute(LISTENERS.replace("count(*)", "pg_terminate_backend(pid)"))
            async with asyncio.timeout(SECONDS):
                await event.wait()
            await until(listener, is_listening=True)
            event.clear()
            await store.complete(owner, ANSWER)
            async with asyncio.timeout(SECONDS):
                await event.wait()


async def test_a_server_that_is_gone_without_a_word_is_noticed(database: Database) -> None:
    async with counted(database.gateway_url) as proxy, listening(proxy.url, check_seconds=0.05) as listener:
        proxy.is_stalled = True
        await until(listener, is_listening=False)
        proxy.is_stalled = False
        await until(listener, is_listening=True)


async def test_without_a_database_it_waits_for_one_and_says_that_it_does_not_listen() -> None:
    async with open_database(NOWHERE) as nowhere, open_announcements(NOWHERE, nowhere) as announcements:
        with announcements.expect(claim_of(uuid4())) as event:
            await asyncio.sleep(0.1)
            assert not announcements.is_listening
            assert not event.is_set()


async def test_at_its_end_the_connection_is_gone_and_nothing_is_kept(database: Database) -> None:
    async with database.owner() as owner:
        async with listening(database.gateway_url) as listener:
            with listener.expect(claim_of(uuid4())):
                assert await owner.fetchval(LISTENERS) == 1
            assert listener._expected == {}
        async with asyncio.timeout(SECONDS):
            while await owner.fetchval(LISTENERS):  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_a_server_that_does_not_answer_the_listening_is_given_up(
    database: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcements_module, "ECHO_SECONDS", 0.2)
    async with counted(database.gateway_url) as proxy:
        proxy.stalls_at = b"LISTEN"
        async with (
            open_database(database.gateway_url) as opened,
            open_announcements(proxy.url, opened) as announcements,
            asyncio.timeout(SECONDS),
        ):
            while "not listening" not in caplog.text:  # noqa: ASYNC110  (it is a line of the log)
                await asyncio.sleep(0.02)
            proxy.stalls_at, proxy.is_stalled = None, False
            await until(announcements, is_listening=True)


async def test_an_error_that_nobody_thought_of_does_not_end_the_listening(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_database(database.gateway_url) as opened:
        listener = Faulty(database.gateway_url, opened)
        task = asyncio.create_task(listener.run())
        try:
            await until(listener, is_listening=True)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert "unthought of" in caplog.text


@pytest.mark.parametrize("steps", range(6))
async def test_a_cancellation_in_the_moment_in_which_the_connection_ends_is_not_swallowed(
    database: Database, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    connections: list[asyncpg.Connection] = []
    connect = asyncpg.connect

    async def noted_connect(*arguments: Any, **options: Any) -> asyncpg.Connection:
        connections.append(await connect(*arguments, **options))
        return connections[-1]

    monkeypatch.setattr(asyncpg, "connect", noted_connect)
    async with open_database(database.gateway_url) as opened:
        listener = PostgresAnnouncements(database.gateway_url, opened)
        task = asyncio.create_task(listener.run())
        await until(listener, is_listening=True)
        connections[0].terminate()
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        ended, _ = await asyncio.wait([task], timeout=2)
        task.cancel()
    assert ended
