"""The states of an idempotency key in PostgreSQL: claimed, taken over, completed, released."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from gateway.database import open_database
from gateway.diagnoses.protocols import Answer, Claimed, Found
from gateway.diagnoses.store import PostgresStore
from gateway.errors import DatabaseUnavailableError, IdempotencyKeyReusedError, RequestInFlightError
from tests.gateways import ALICE, BOB
from tests.integration.gateway.claims import ANSWER, LAPSED, LONG, REJECTION, claim_of, claims_json, start
from tests.integration.gateway.conftest import GENEROUS, PASSWORD

if TYPE_CHECKING:
    from tests.integration.gateway.conftest import Database


async def test_the_first_claim_of_a_key_is_granted(store: PostgresStore) -> None:
    assert await start(store, claim_of(uuid4())) is Found.CLAIMED


async def test_while_the_lease_runs_a_second_claim_is_told_how_long(store: PostgresStore) -> None:
    key = uuid4()
    await start(store, claim_of(key))
    found = await store.claim(claim_of(key), may_start=True)
    assert (found.found, found.allowance) == (Found.IN_FLIGHT, None)
    assert found.lease_left is not None
    assert LAPSED < found.lease_left <= LONG


async def test_of_many_claims_at_once_one_is_granted(store: PostgresStore) -> None:
    key = uuid4()
    found = await asyncio.gather(*(start(store, claim_of(key)) for _ in range(20)))
    assert (found.count(Found.CLAIMED), found.count(Found.IN_FLIGHT)) == (1, 19)


@pytest.mark.parametrize("answer", [ANSWER, REJECTION], ids=["completed", "failed"])
async def test_a_stored_answer_is_replayed_byte_for_byte(store: PostgresStore, answer: Answer) -> None:
    claim = claim_of(uuid4())
    await start(store, claim)
    assert await store.complete(claim, answer) == answer
    replayed = Answer(answer.status, answer.body, replayed=True)
    assert await store.claim(claim_of(claim.key), may_start=False) == Claimed(Found.REPLAYED, replayed)


@pytest.mark.parametrize("is_answered", [True, False])
async def test_another_payload_under_the_same_key_is_refused(store: PostgresStore, is_answered: bool) -> None:
    claim = claim_of(uuid4(), lease=LAPSED)
    await start(store, claim)
    if is_answered:
        await store.complete(claim, ANSWER)
    with pytest.raises(IdempotencyKeyReusedError):
        await start(store, claim_of(claim.key, payload_hash="b" * 64))


async def test_the_same_key_of_another_user_is_another_key(store: PostgresStore) -> None:
    key = uuid4()
    await start(store, claim_of(key))
    assert await start(store, claim_of(key, user=BOB, payload_hash="b" * 64)) is Found.CLAIMED


async def test_a_released_key_can_be_claimed_at_once(store: PostgresStore) -> None:
    claim = claim_of(uuid4())
    await start(store, claim)
    await store.release(claim)
    assert await start(store, claim_of(claim.key)) is Found.CLAIMED


async def test_a_lapsed_lease_is_taken_over(store: PostgresStore) -> None:
    key = uuid4()
    await start(store, claim_of(key, lease=LAPSED))
    assert await start(store, claim_of(key)) is Found.TAKEN_OVER


async def test_of_many_takeovers_at_once_one_succeeds(store: PostgresStore) -> None:
    key = uuid4()
    await start(store, claim_of(key, lease=LAPSED))
    found = await asyncio.gather(*(start(store, claim_of(key)) for _ in range(20)))
    assert (found.count(Found.TAKEN_OVER), found.count(Found.IN_FLIGHT)) == (1, 19)


async def test_who_was_taken_over_cannot_complete(store: PostgresStore) -> None:
    slow, fast = claim_of(uuid4(), lease=LAPSED), claim_of(uuid4())
    fast = replace(fast, key=slow.key)
    await start(store, slow)
    await start(store, fast)
    with pytest.raises(RequestInFlightError):
        await store.complete(slow, ANSWER)
    other = Answer(200, b'{"other":true}')
    assert await store.complete(fast, other) == other


async def test_who_was_taken_over_gets_the_answer_of_the_other(store: PostgresStore) -> None:
    slow = claim_of(uuid4(), lease=LAPSED)
    fast = claim_of(slow.key)
    await start(store, slow)
    await start(store, fast)
    await store.complete(fast, ANSWER)
    assert await store.complete(slow, Answer(200, b'{"other":true}')) == replace(ANSWER, replayed=True)


async def test_who_was_taken_over_cannot_release(store: PostgresStore) -> None:
    slow = claim_of(uuid4(), lease=LAPSED)
    fast = claim_of(slow.key)
    await start(store, slow)
    await start(store, fast)
    await store.release(slow)
    assert await store.complete(fast, ANSWER) == ANSWER


async def test_an_answer_cannot_be_released(store: PostgresStore) -> None:
    claim = claim_of(uuid4())
    await start(store, claim)
    await store.complete(claim, ANSWER)
    await store.release(claim)
    assert (await store.claim(claim_of(claim.key), may_start=True)).answer == replace(ANSWER, replayed=True)


async def test_a_lapsed_lease_that_nobody_took_over_can_still_complete(store: PostgresStore) -> None:
    claim = claim_of(uuid4(), lease=LAPSED)
    await start(store, claim)
    assert await store.complete(claim, ANSWER) == ANSWER


async def test_after_24_hours_a_key_begins_anew_with_any_payload(store: PostgresStore, database: Database) -> None:
    claim = claim_of(uuid4())
    await start(store, claim)
    await store.complete(claim, ANSWER)
    async with database.owner() as owner:
        left = "select extract(epoch from expires_at - clock_timestamp()) from public.idempotency_keys"
        assert 86_390 < await owner.fetchval(left) <= 86_400
        await owner.execute("update public.idempotency_keys set expires_at = clock_timestamp()")
    assert await start(store, claim_of(claim.key, payload_hash="b" * 64)) is Found.CLAIMED


async def test_a_replay_writes_nothing(store: PostgresStore, database: Database) -> None:
    claim = claim_of(uuid4())
    await start(store, claim)
    await store.complete(claim, ANSWER)
    version = "select xmin, xmax from public.idempotency_keys"
    async with database.owner() as owner:
        before = await owner.fetchrow(version)
        await start(store, claim_of(claim.key))
        assert await owner.fetchrow(version) == before


async def test_a_key_that_another_transaction_holds_too_long_is_a_database_that_cannot_answer(
    database: Database,
) -> None:
    claim = claim_of(uuid4(), lease=LAPSED)
    async with open_database(f"{database.gateway_url}?lock_timeout=50ms") as opened, database.owner() as owner:
        store = PostgresStore(opened, GENEROUS)
        await start(store, claim)
        async with owner.transaction():
            await owner.execute("select 1 from public.idempotency_keys for update")
            async with asyncio.timeout(1):
                with pytest.raises(DatabaseUnavailableError):
                    await start(store, claim_of(claim.key))


@pytest.mark.parametrize(("good", "bad"), [(PASSWORD, "another"), ("/test_", "/none_")], ids=["password", "database"])
async def test_a_login_that_the_database_refuses_is_a_database_that_cannot_answer(
    database: Database, good: str, bad: str
) -> None:
    async with open_database(database.gateway_url.replace(good, bad)) as opened:
        with pytest.raises(DatabaseUnavailableError):
            await start(PostgresStore(opened, GENEROUS), claim_of(uuid4()))


async def test_a_claim_that_may_not_start_anything_leaves_nothing_behind(
    store: PostgresStore, database: Database
) -> None:
    assert await store.claim(claim_of(uuid4()), may_start=False) == Claimed(Found.NOT_STARTED)
    async with database.owner() as owner:
        assert await owner.fetchval("select count(*) from public.idempotency_keys") == 0
        assert await owner.fetchval("select count(*) from frond.rate_limits") == 0


async def test_a_claim_that_may_not_start_anything_does_not_take_over(store: PostgresStore) -> None:
    claim = claim_of(uuid4(), lease=LAPSED)
    await start(store, claim)
    assert (await store.claim(claim_of(claim.key), may_start=False)).found is Found.NOT_STARTED
    assert await store.complete(claim, ANSWER) == ANSWER


async def test_a_claim_sent_twice_is_one_claim(store: PostgresStore) -> None:
    claim = claim_of(uuid4())
    assert await start(store, claim) is await start(store, claim) is Found.CLAIMED


async def test_an_answer_completed_twice_by_its_owner_is_no_replay(store: PostgresStore) -> None:
    claim = claim_of(uuid4())
    await start(store, claim)
    assert await store.complete(claim, ANSWER) == await store.complete(claim, ANSWER) == ANSWER


@pytest.mark.parametrize("is_awaited", [True, False])
async def test_a_key_that_is_awaited_is_kept_by_who_would_release_it_unless_awaited(
    store: PostgresStore, is_awaited: bool
) -> None:
    claim = claim_of(uuid4())
    await start(store, claim)
    if is_awaited:
        await start(store, claim_of(claim.key))
    assert await store.release(claim, unless_awaited=True) is not is_awaited
    assert await store.release(claim) is is_awaited


async def test_after_a_takeover_nobody_waits_for_the_new_owner_until_they_ask_again(store: PostgresStore) -> None:
    slow = claim_of(uuid4(), lease=timedelta(milliseconds=50))
    await start(store, slow)
    assert await start(store, claim_of(slow.key)) is Found.IN_FLIGHT
    await asyncio.sleep(0.1)
    fast = claim_of(slow.key)
    assert await start(store, fast) is Found.TAKEN_OVER
    assert await store.release(fast, unless_awaited=True)


@pytest.mark.parametrize("status", ["399", "500", "null", '"none"'])
async def test_no_answer_but_a_rejection_of_the_caller_can_be_stored_as_one(store: PostgresStore, status: str) -> None:
    claim = claim_of(uuid4())
    await start(store, claim)
    with pytest.raises(asyncpg.CheckViolationError):
        await store.complete(claim, replace(REJECTION, rejection={"status": json.loads(status)}))


async def test_a_gateway_of_the_release_before_still_works(store: PostgresStore, database: Database) -> None:
    claim = claim_of(uuid4())
    begun = (claims_json(ALICE), "/v1/ai-inference", claim.key)
    connection = await asyncpg.connect(database.gateway_url)
    try:
        row = await connection.fetchrow(
            "select outcome, answer, answer_status, lease_left from frond.claim_idempotency_key"
            "($1::jsonb, $2::text, $3::uuid, $4::text, '{}'::jsonb, 'tx'::text, $5::uuid, $6::interval)",
            *begun,
            claim.payload_hash,
            claim.owner_token,
            claim.lease,
        )
        assert row is not None
        assert tuple(row) == ("claimed", None, None, None)
        assert await start(store, claim_of(claim.key)) is Found.IN_FLIGHT
        query = "select released from frond.release_idempotency_key($1::jsonb, $2::text, $3::uuid, $4::uuid)"
        assert await connection.fetchval(query, *begun, claim.owner_token)
    finally:
        await connection.close()
