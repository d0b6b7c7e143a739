"""The connection pool when PostgreSQL ends connections, or hangs."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING

import pytest

from gateway.database import POOL_SIZE, open_database
from gateway.errors import DatabaseUnavailableError
from tests.integration.gateway.round_trips import counted

if TYPE_CHECKING:
    from tests.integration.gateway.conftest import Database

# The connection is ended as often as `breaks` says; a sequence remembers it over the end of its transaction.
BREAKING = """
select case when nextval('breaks') <= $1::int then pg_terminate_backend(pg_backend_pid(), 5000) else true end answered
"""


async def answers(database: Database, breaks: int, *, is_patient: bool = False) -> bool:
    async with database.owner() as owner:
        await owner.execute("create sequence breaks")
    async with open_database(database.owner_url) as opened:
        return bool((await opened.fetch_row(BREAKING, breaks, is_patient=is_patient))["answered"])


async def test_a_statement_whose_connection_ends_is_sent_once_more(database: Database) -> None:
    assert await answers(database, 1)


async def test_a_statement_whose_connection_ends_twice_is_given_up(database: Database) -> None:
    with pytest.raises(DatabaseUnavailableError):
        await answers(database, 2)


async def test_a_patient_statement_is_sent_as_long_as_there_is_time(database: Database) -> None:
    assert await answers(database, 3, is_patient=True)


FORGET = """
create function forget() returns boolean language plpgsql as $$ begin execute 'deallocate all'; return true; end $$
"""
NAMES = "select coalesce(array_agg(name), '{}') as names from pg_prepared_statements"


async def test_a_statement_that_a_pooler_has_lost_is_sent_again_and_none_is_prepared_from_then_on(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with database.owner() as owner:
        await owner.execute(FORGET)
    async with open_database(database.owner_url) as opened:
        for _ in range(2):
            assert (await opened.fetch_row("select $1::int as given", 5))["given"] == 5
            await opened.fetch_row("select forget()")
        assert (await opened.fetch_row(NAMES))["names"] == []
    assert caplog.text.count("loses prepared statements") == 1


async def test_no_other_process_gives_a_statement_the_same_name(database: Database) -> None:
    """asyncpg's own begin with `__asyncpg` and are counted in each process."""
    async with open_database(database.owner_url) as opened:
        await opened.fetch_row("select 1")
        names = (await opened.fetch_row(NAMES))["names"]
    assert names
    assert all(re.fullmatch(r"frond_stmt_[0-9a-f]{16}", name) for name in names)


async def test_connections_that_ended_while_idle_are_replaced(database: Database) -> None:
    async with open_database(database.gateway_url) as opened, database.owner() as owner:
        await asyncio.gather(*(opened.fetch_row("select pg_sleep(0.02)") for _ in range(POOL_SIZE)))
        ended = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'frond-gateway'"
        assert await owner.fetchval(ended) == POOL_SIZE
        await asyncio.gather(*(opened.fetch_row("select 1") for _ in range(2 * POOL_SIZE)))


async def test_while_the_database_hangs_one_at_a_time_finds_out_and_the_others_are_refused_at_once(
    database: Database,
) -> None:
    async with counted(database.gateway_url) as proxy, open_database(proxy.url) as opened:
        await opened.fetch_row("select 1")
        proxy.is_stalled = True
        started_at = time.monotonic()
        crowd = (opened.fetch_row("select 1") for _ in range(3 * POOL_SIZE))
        outcomes = await asyncio.gather(*crowd, return_exceptions=True)
        assert all(isinstance(outcome, DatabaseUnavailableError) for outcome in outcomes)
        assert time.monotonic() - started_at < 3.5  # all of them together: one statement's time
        trying = asyncio.create_task(opened.fetch_row("select 1"))
        await asyncio.sleep(0)
        started_at = time.monotonic()
        with pytest.raises(DatabaseUnavailableError, match="does not answer"):
            await opened.fetch_row("select 1")
        assert time.monotonic() - started_at < 1
        proxy.is_stalled = False
        await asyncio.gather(trying, return_exceptions=True)
        await asyncio.gather(*(opened.fetch_row("select 1") for _ in range(3)))


async def test_one_statement_that_waits_for_a_lock_is_no_database_that_hangs(database: Database) -> None:
    async with database.owner() as owner, open_database(database.owner_url) as opened, owner.transaction():
        await owner.execute("select pg_advisory_xact_lock(1)")
        waiting = asyncio.create_task(opened.fetch_row("select pg_advisory_xact_lock(1)"))
        while not waiting.done():
            await asyncio.gather(*(opened.fetch_row("select 1") for _ in range(2)))
            await asyncio.sleep(0.05)
        with pytest.raises(DatabaseUnavailableError):
            await waiting
