"""How often a user may start something: the generic cell rate algorithm, exact over all gateways."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from gateway.allowance import Allowance
from gateway.database import open_database
from gateway.diagnoses.protocols import Claimed, Found
from gateway.diagnoses.store import PostgresStore, RateLimit
from gateway.errors import IdempotencyKeyReusedError, RateLimitedError
from tests.gateways import ALICE, BOB
from tests.integration.gateway.claims import ANSWER, LAPSED, claim_of, start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.gateway.conftest import Database

HOUR = timedelta(hours=1)
BURST = 3


@pytest.fixture
async def store(database: Database) -> AsyncIterator[PostgresStore]:
    """Three at once, and one an hour."""
    async with open_database(database.gateway_url) as opened:
        yield PostgresStore(opened, RateLimit(BURST, HOUR))


async def use_up(store: PostgresStore) -> None:
    for _ in range(BURST):
        await start(store, claim_of(uuid4()))


async def test_a_claim_says_how_many_more_may_start_and_when_the_burst_is_full_again(store: PostgresStore) -> None:
    first, second = [(await store.claim(claim_of(uuid4()), may_start=True)).allowance for _ in range(2)]
    assert isinstance(first, Allowance)
    assert isinstance(second, Allowance)
    assert (first.burst, first.period_seconds, first.remaining, second.remaining) == (3, 3600, 2, 1)
    assert 3590 < first.full_in_seconds <= 3600
    assert 7190 < second.full_in_seconds <= 7200


async def test_beyond_the_burst_a_user_is_told_when_to_come_again(store: PostgresStore) -> None:
    await use_up(store)
    with pytest.raises(RateLimitedError, match="At most 3 new requests at once") as refusal:
        await start(store, claim_of(uuid4()))
    assert refusal.value.retry_after_ms is not None
    assert 3_590_000 < refusal.value.retry_after_ms <= 3_600_000
    assert refusal.value.allowance is not None
    assert refusal.value.allowance.remaining == 0


async def test_what_is_refused_leaves_no_key_and_costs_nothing(store: PostgresStore, database: Database) -> None:
    await use_up(store)
    async with database.owner() as owner:
        full_at = await owner.fetchval("select full_at from frond.rate_limits")
        for _ in range(3):
            with pytest.raises(RateLimitedError):
                await start(store, claim_of(uuid4()))
        assert await owner.fetchval("select full_at from frond.rate_limits") == full_at
        assert await owner.fetchval("select count(*) from public.idempotency_keys") == BURST


async def test_after_a_period_one_more_may_start(store: PostgresStore, database: Database) -> None:
    await use_up(store)
    async with database.owner() as owner:
        await owner.execute("update frond.rate_limits set full_at = full_at - interval '1 hour'")
    assert await start(store, claim_of(uuid4())) is Found.CLAIMED
    with pytest.raises(RateLimitedError):
        await start(store, claim_of(uuid4()))


async def test_another_user_has_an_allowance_of_their_own(store: PostgresStore) -> None:
    await use_up(store)
    assert await start(store, claim_of(uuid4(), user=BOB)) is Found.CLAIMED


async def test_of_many_at_once_over_several_gateways_exactly_the_burst_may_start(database: Database) -> None:
    async with AsyncExitStack() as stack:
        limit = RateLimit(20, HOUR)
        stores = [
            PostgresStore(await stack.enter_async_context(open_database(database.gateway_url)), limit) for _ in range(3)
        ]
        outcomes = await asyncio.gather(
            *(start(store, claim_of(uuid4())) for _ in range(20) for store in stores), return_exceptions=True
        )
    assert outcomes.count(Found.CLAIMED) == 20
    assert sum(isinstance(outcome, RateLimitedError) for outcome in outcomes) == 40


async def test_replays_joins_and_mismatches_are_free(store: PostgresStore) -> None:
    answered, running = claim_of(uuid4()), claim_of(uuid4())
    for claim in (answered, running, claim_of(uuid4())):
        await start(store, claim)
    await store.complete(answered, ANSWER)
    assert await start(store, claim_of(answered.key)) is Found.REPLAYED
    assert await start(store, claim_of(running.key)) is Found.IN_FLIGHT
    with pytest.raises(IdempotencyKeyReusedError):
        await start(store, claim_of(answered.key, payload_hash="b" * 64))


async def test_what_may_not_start_is_free(store: PostgresStore) -> None:
    await use_up(store)
    assert await store.claim(claim_of(uuid4()), may_start=False) == Claimed(Found.NOT_STARTED)


async def test_a_takeover_costs_as_much_as_a_new_key(store: PostgresStore) -> None:
    key = uuid4()
    for found in (Found.CLAIMED, Found.TAKEN_OVER, Found.TAKEN_OVER):
        assert await start(store, claim_of(key, lease=LAPSED)) is found
    with pytest.raises(RateLimitedError):
        await start(store, claim_of(key))


async def test_of_many_duplicates_at_once_one_pays_and_none_is_refused(database: Database) -> None:
    async with open_database(database.gateway_url) as opened, database.owner() as owner:
        store = PostgresStore(opened, RateLimit(2, HOUR))
        key = uuid4()
        found = await asyncio.gather(*(start(store, claim_of(key)) for _ in range(20)))
        assert (found.count(Found.CLAIMED), found.count(Found.IN_FLIGHT)) == (1, 19)
        spent = "select extract(epoch from full_at - clock_timestamp()) from frond.rate_limits where user_id = $1"
        assert 3590 < await owner.fetchval(spent, ALICE) <= 3600


async def test_with_the_last_of_the_allowance_gone_to_its_duplicate_a_request_joins_it(database: Database) -> None:
    async with open_database(database.gateway_url) as opened:
        store = PostgresStore(opened, RateLimit(1, HOUR))
        for _ in range(5):
            key, user = uuid4(), uuid4()
            found = await asyncio.gather(*(start(store, claim_of(key, user=user)) for _ in range(8)))
            assert (found.count(Found.CLAIMED), found.count(Found.IN_FLIGHT)) == (1, 7)


@pytest.mark.parametrize("ahead", [timedelta(hours=BURST, seconds=1), timedelta(days=400)], ids=str)
async def test_what_another_configuration_or_a_clock_that_went_back_has_left_locks_nobody_out(
    store: PostgresStore, database: Database, ahead: timedelta
) -> None:
    await use_up(store)
    async with database.owner() as owner:
        await owner.execute("update frond.rate_limits set full_at = clock_timestamp() + $1", ahead)
    claimed = await store.claim(claim_of(uuid4()), may_start=True)
    assert (claimed.found, claimed.allowance and claimed.allowance.remaining) == (Found.CLAIMED, 0)
    with pytest.raises(RateLimitedError) as refusal:
        await start(store, claim_of(uuid4()))
    assert refusal.value.retry_after_ms is not None
    assert refusal.value.retry_after_ms <= 3_600_000


async def test_with_a_burst_of_one_the_next_may_start_after_a_period(database: Database) -> None:
    async with open_database(database.gateway_url) as opened:
        store = PostgresStore(opened, RateLimit(1, timedelta(milliseconds=300)))
        for _ in range(3):
            assert await start(store, claim_of(uuid4())) is Found.CLAIMED
            with pytest.raises(RateLimitedError) as refusal:
                await start(store, claim_of(uuid4()))
            assert refusal.value.retry_after_ms is not None
            await asyncio.sleep(refusal.value.retry_after_ms / 1000)
