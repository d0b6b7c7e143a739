"""The counts of a canary in PostgreSQL, as the gateways' login."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gateway.canary.protocols import Tally, Trial
from gateway.canary.store import PostgresTrials
from gateway.database import open_database
from gateway.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.gateway.conftest import Database

# The sequence remembers over the end of the transaction that it was done.
BREAKING = """
create sequence frond.breaks;
grant usage on sequence frond.breaks to public;
create function frond.break_once() returns trigger language plpgsql security definer as $$
begin
  if nextval('frond.breaks') = 1 then perform pg_terminate_backend(pg_backend_pid(), 5000); end if;
  return new;
end $$;
create trigger breaking before insert on frond.canaries for each row execute function frond.break_once();
"""


@pytest.fixture
async def trials(database: Database) -> AsyncIterator[PostgresTrials]:
    async with open_database(database.gateway_url) as opened:
        yield PostgresTrials(opened)


async def test_what_gateways_count_at_once_adds_up(trials: PostgresTrials) -> None:
    await asyncio.gather(*(trials.add("2", Tally(3, 2, 1), Tally(50, 1, 10)) for _ in range(10)))
    assert await trials.add("2", Tally(), Tally()) == Trial(Tally(30, 20, 10), Tally(500, 10, 100))


async def test_beyond_a_thousand_the_older_requests_count_less(trials: PostgresTrials) -> None:
    await trials.add("2", Tally(1000, 10), Tally(19_000, 100, 3))
    assert await trials.add("2", Tally(10, 10), Tally(200)) == Trial(Tally(505, 10), Tally(9600, 50, 1))


async def test_counts_whose_connection_ends_are_not_sent_again(database: Database) -> None:
    """Nobody knows whether they arrived: here the server ends the connection in the middle, once."""
    async with database.owner() as owner:
        await owner.execute(BREAKING)
    async with open_database(database.gateway_url) as opened:
        trials = PostgresTrials(opened)
        with pytest.raises(DatabaseUnavailableError):
            await trials.add("2", Tally(1), Tally(1))
        assert await trials.add("2", Tally(), Tally()) == Trial(Tally(), Tally())


async def test_versions_are_counted_apart(trials: PostgresTrials) -> None:
    await trials.add("2", Tally(1), Tally(1))
    assert await trials.add("3", Tally(5), Tally(7)) == Trial(Tally(5), Tally(7))


async def test_the_first_verdict_stands_and_counting_goes_on(trials: PostgresTrials) -> None:
    await trials.add("2", Tally(1), Tally(1))
    verdicts = await asyncio.gather(*(trials.roll_back("2", f"reason {number}") for number in range(5)))
    assert len(set(verdicts)) == 1
    assert (await trials.add("2", Tally(1), Tally(1))).verdict == verdicts[0]
