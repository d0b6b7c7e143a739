"""The states of an idempotency key in PostgreSQL: claimed, taken over, completed, released."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from gateway.auth.protocols import Caller
from gateway.database import open_database
from gateway.diagnoses.protocols import Answer, Claim
from gateway.diagnoses.store import PostgresStore
from gateway.errors import DatabaseUnavailableError, IdempotencyKeyReusedError, RequestInFlightError
from tests.gateways import ALICE, BOB
from tests.integration.gateway.conftest import PASSWORD

if TYPE_CHECKING:
    from tests.integration.gateway.conftest import Database

LONG, LAPSED = timedelta(seconds=60), timedelta(0)
# Spaces, order and digits that a parsed and printed JSON would lose.
ANSWER = Answer(200, b'{"b":1,  "a": 0.10, "b": "\xc3\xa9"}')
REJECTION = Answer(422, b'{"success":false}', {"status": 422, "category": "validation", "code": "image_corrupt"})


def claim_of(key: UUID, user: UUID = ALICE, payload_hash: str = "a" * 64, lease: timedelta = LONG) -> Claim:
    """Another attempt, with a token of its own, each time."""
    caller = Caller(user, json.dumps({"sub": str(user), "role": "authenticated"}))
    return Claim(caller, key, {"asked": 1}, payload_hash, "assessment", uuid4(), lease)


async def test_the_first_claim_of_a_key_is_granted(store: PostgresStore) -> None:
    assert await store.claim(claim_of(uuid4())) is None


async def test_while_the_lease_runs_a_second_claim_is_told_to_wait_at_most_a_second(store: PostgresStore) -> None:
    key = uuid4()
    await store.claim(claim_of(key))
    with pytest.raises(RequestInFlightError) as refusal:
        await store.claim(claim_of(key))
    assert refusal.value.retry_after_ms is not None
    assert 0 < refusal.value.retry_after_ms <= 1000


async def test_of_many_claims_at_once_one_is_granted(store: PostgresStore) -> None:
    key = uuid4()
    outcomes = await asyncio.gather(*(store.claim(claim_of(key)) for _ in range(20)), return_exceptions=True)
    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, RequestInFlightError) for outcome in outcomes) == 19


@pytest.mark.parametrize("answer", [ANSWER, REJECTION], ids=["completed", "failed"])
async def test_a_stored_answer_is_replayed_byte_for_byte(store: PostgresStore, answer: Answer) -> None:
    claim = claim_of(uuid4())
    await store.claim(claim)
    assert await store.complete(claim, answer) == answer
    replayed = await store.claim(claim_of(claim.key))
    assert replayed == Answer(answer.status, answer.body, replayed=True)


@pytest.mark.parametrize("is_answered", [True, False])
async def test_another_payload_under_the_same_key_is_refused(store: PostgresStore, is_answered: bool) -> None:
    claim = claim_of(uuid4(), lease=LAPSED)
    await store.claim(claim)
    if is_answered:
        await store.complete(claim, ANSWER)
    with pytest.raises(IdempotencyKeyReusedError):
        await store.claim(claim_of(claim.key, payload_hash="b" * 64))


async def test_the_same_key_of_another_user_is_another_key(store: PostgresStore) -> None:
    key = uuid4()
    await store.claim(claim_of(key))
    assert await store.claim(claim_of(key, user=BOB, payload_hash="b" * 64)) is None


async def test_a_released_key_can_be_claimed_at_once(store: PostgresStore) -> None:
    claim = claim_of(uuid4())
    await store.claim(claim)
    await store.release(claim)
    assert await store.claim(claim_of(claim.key)) is None


async def test_a_lapsed_lease_is_taken_over(store: PostgresStore) -> None:
    key = uuid4()
    await store.claim(claim_of(key, lease=LAPSED))
    assert await store.claim(claim_of(key)) is None


async def test_of_many_takeovers_at_once_one_succeeds(store: PostgresStore) -> None:
    key = uuid4()
    await store.claim(claim_of(key, lease=LAPSED))
    outcomes = await asyncio.gather(*(store.claim(claim_of(key)) for _ in range(20)), return_exceptions=True)
    assert outcomes.count(None) == 1


async def test_who_was_taken_over_cannot_complete(store: PostgresStore) -> None:
    slow, fast = claim_of(uuid4(), lease=LAPSED), claim_of(uuid4())
    fast = replace(fast, key=slow.key)
    await store.claim(slow)
    await store.claim(fast)
    with pytest.raises(RequestInFlightError):
        await store.complete(slow, ANSWER)
    other = Answer(200, b'{"other":true}')
    assert await store.complete(fast, other) == other


async def test_who_was_taken_over_gets_the_answer_of_the_other(store: PostgresStore) -> None:
    slow = claim_of(uuid4(), lease=LAPSED)
    fast = claim_of(slow.key)
    await store.claim(slow)
    await store.claim(fast)
    await store.complete(fast, ANSWER)
    assert await store.complete(slow, Answer(200, b'{"other":true}')) == replace(ANSWER, replayed=True)


async def test_who_was_taken_over_cannot_release(store: PostgresStore) -> None:
    slow = claim_of(uuid4(), lease=LAPSED)
    fast = claim_of(slow.key)
    await store.claim(slow)
    await store.claim(fast)
    await store.release(slow)
    assert await store.complete(fast, ANSWER) == ANSWER


async def test_an_answer_cannot_be_released(store: PostgresStore) -> None:
    claim = claim_of(uuid4())
    await store.claim(claim)
    await store.complete(claim, ANSWER)
    await store.release(claim)
    assert await store.claim(claim_of(claim.key)) == replace(ANSWER, replayed=True)


async def test_a_lapsed_lease_that_nobody_took_over_can_still_complete(store: PostgresStore) -> None:
    claim = claim_of(uuid4(), lease=LAPSED)
    await store.claim(claim)
    assert await store.complete(claim, ANSWER) == ANSWER


async def test_after_24_hours_a_key_begins_anew_with_any_payload(store: PostgresStore, database: Database) -> None:
    claim = claim_of(uuid4())
    await store.claim(claim)
    await store.complete(claim, ANSWER)
    async with database.owner() as owner:
        left = "select extract(epoch from expires_at - clock_timestamp()) from public.idempotency_keys"
        assert 86_390 < await owner.fetchval(left) <= 86_400
        await owner.execute("update public.idempotency_keys set expires_at = clock_timestamp()")
    assert await store.claim(claim_of(claim.key, payload_hash="b" * 64)) is None


async def test_a_replay_writes_nothing(store: PostgresStore, database: Database) -> None:
    claim = claim_of(uuid4())
    await store.claim(claim)
    await store.complete(claim, ANSWER)
    version = "select xmin, xmax from public.idempotency_keys"
    async with database.owner() as owner:
        before = await owner.fetchrow(version)
        await store.claim(claim_of(claim.key))
        assert await owner.fetchrow(version) == before


async def test_a_key_that_another_transaction_holds_too_long_is_a_database_that_cannot_answer(
    database: Database,
) -> None:
    claim = claim_of(uuid4(), lease=LAPSED)
    async with open_database(f"{database.gateway_url}?lock_timeout=50ms") as opened, database.owner() as owner:
        store = PostgresStore(opened)
        await store.claim(claim)
        async with owner.transaction():
            await owner.execute("select 1 from public.idempotency_keys for update")
            async with asyncio.timeout(1):
                with pytest.raises(DatabaseUnavailableError):
                    await store.claim(claim_of(claim.key))


@pytest.mark.parametrize(("good", "bad"), [(PASSWORD, "another"), ("/test_", "/none_")], ids=["password", "database"])
async def test_a_login_that_the_database_refuses_is_a_database_that_cannot_answer(
    database: Database, good: str, bad: str
) -> None:
    async with open_database(database.gateway_url.replace(good, bad)) as opened:
        with pytest.raises(DatabaseUnavailableError):
            await PostgresStore(opened).claim(claim_of(uuid4()))
