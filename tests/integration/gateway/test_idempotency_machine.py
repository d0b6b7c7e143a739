"""Whatever happens in whatever order, PostgreSQL and a model in memory agree about every key and every allowance."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from gateway.database import open_database
from gateway.diagnoses.protocols import Answer, Claim, Found
from gateway.diagnoses.store import PostgresStore, RateLimit
from gateway.errors import IdempotencyKeyReusedError, RateLimitedError, RequestInFlightError
from tests.integration.gateway.claims import claim_of

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    import asyncpg

    from tests.integration.gateway.conftest import Database

T = TypeVar("T")

BURST = 4
HOURS = timedelta(hours=1)  # nothing ends by itself while a test runs
ROW = "idempotency_key = $1 and user_id = $2"


@dataclass
class Row:
    """What the store should hold under a key."""

    payload_hash: str
    owner: UUID
    answer: Answer | None = None
    is_lapsed: bool = False
    is_expired: bool = False
    is_awaited: bool = False


@dataclass
class World:
    """The real store, driven from the machine's rules, which are synchronous."""

    runner: asyncio.Runner
    store: PostgresStore
    connection: asyncpg.Connection

    def run(self, work: Coroutine[None, None, T]) -> T:
        return self.runner.run(work)

    def change(self, setting: str, claim: Claim) -> None:
        statement = f"update public.idempotency_keys set {setting} where {ROW}"  # noqa: S608
        self.run(self.connection.execute(statement, claim.key, claim.caller.user_id))


class Protocol(RuleBasedStateMachine):
    world: World

    attempts: Bundle[Claim] = Bundle("attempts")

    def __init__(self) -> None:
        super().__init__()
        self.users = [uuid4(), uuid4()]
        self.keys = [uuid4(), uuid4()]
        self.rows: dict[tuple[UUID, UUID], Row] = {}
        self.spent = dict.fromkeys(self.users, 0)
        self.answers = 0

    def row(self, claim: Claim) -> Row | None:
        row = self.rows.get((claim.caller.user_id, claim.key))
        return None if row is None or row.is_expired else row

    def expected(self, claim: Claim, *, may_start: bool) -> Found | type[Exception]:
        row = self.row(claim)
        if row is not None and (found := found_in(row, claim)) is not None:
            return found
        if not may_start:
            return Found.NOT_STARTED
        if self.spent[claim.caller.user_id] == BURST:
            return RateLimitedError
        return Found.CLAIMED if row is None else Found.TAKEN_OVER

    def claim(self, claim: Claim, *, may_start: bool) -> None:
        expected, row, user = self.expected(claim, may_start=may_start), self.row(claim), claim.caller.user_id
        is_repeated = row is not None and row.owner == claim.owner_token
        if isinstance(expected, type):
            with pytest.raises(expected):
                self.world.run(self.world.store.claim(claim, may_start=may_start))
            return
        claimed = self.world.run(self.world.store.claim(claim, may_start=may_start))
        assert claimed.found is expected
        if expected is Found.REPLAYED:
            assert row is not None
            assert row.answer is not None
            assert claimed.answer == Answer(row.answer.status, row.answer.body, replayed=True)
        elif expected is Found.IN_FLIGHT:
            assert row is not None
            row.is_awaited = True
        elif expected in {Found.CLAIMED, Found.TAKEN_OVER} and not is_repeated:
            self.spent[user] += 1
            assert claimed.allowance is not None
            assert claimed.allowance.remaining == BURST - self.spent[user]
            self.rows[user, claim.key] = Row(claim.payload_hash, claim.owner_token)

    @rule(
        target=attempts,
        user=st.integers(0, 1),
        key=st.integers(0, 1),
        payload_hash=st.sampled_from(["a" * 64] * 4 + ["b" * 64]),
        may_start=st.sampled_from([True, True, True, False]),
    )
    def begin(self, user: int, key: int, payload_hash: str, may_start: bool) -> Claim:
        claim = claim_of(self.keys[key], self.users[user], payload_hash, lease=HOURS)
        self.claim(claim, may_start=may_start)
        return claim

    @rule(attempt=attempts)
    def send_the_claim_again(self, attempt: Claim) -> None:
        self.claim(attempt, may_start=True)

    @rule(attempt=attempts, is_rejection=st.booleans())
    def complete(self, attempt: Claim, is_rejection: bool) -> None:
        """By whoever once tried: the owner, one who was taken over, one who never got the key."""
        self.answers += 1
        answer = Answer(200, b'{"answer":  %d}' % self.answers)
        if is_rejection:
            answer = replace(answer, status=422, rejection={"status": 422, "category": "validation", "code": "x"})
        row = self.rows.get((attempt.caller.user_id, attempt.key))
        if row is not None and row.owner == attempt.owner_token:
            assert self.world.run(self.world.store.complete(attempt, answer)) == answer
            row.answer = row.answer or answer
        elif row is not None and row.answer is not None and row.payload_hash == attempt.payload_hash:
            stored = self.world.run(self.world.store.complete(attempt, answer))
            assert stored == Answer(row.answer.status, row.answer.body, replayed=True)
        else:
            with pytest.raises(RequestInFlightError):
                self.world.run(self.world.store.complete(attempt, answer))

    @rule(attempt=attempts, unless_awaited=st.booleans())
    def release(self, attempt: Claim, unless_awaited: bool) -> None:
        name = (attempt.caller.user_id, attempt.key)
        row = self.rows.get(name)
        is_owner = row is not None and row.owner == attempt.owner_token and row.answer is None
        is_kept = row is not None and row.is_awaited and unless_awaited
        released = self.world.run(self.world.store.release(attempt, unless_awaited=unless_awaited))
        assert released is (is_owner and not is_kept)
        if released:
            del self.rows[name]

    @rule(attempt=attempts)
    def the_lease_ends(self, attempt: Claim) -> None:
        self.world.change("leased_until = clock_timestamp()", attempt)
        if row := self.rows.get((attempt.caller.user_id, attempt.key)):
            row.is_lapsed = True

    @rule(attempt=attempts)
    def a_day_passes(self, attempt: Claim) -> None:
        self.world.change("expires_at = clock_timestamp(), leased_until = clock_timestamp()", attempt)
        if row := self.rows.get((attempt.caller.user_id, attempt.key)):
            row.is_expired = row.is_lapsed = True

    @rule()
    def what_expired_is_deleted(self) -> None:
        delete = "select deleted from frond.delete_expired_keys(100)"
        self.world.run(self.world.connection.fetchval(delete))
        self.rows = {name: row for name, row in self.rows.items() if not row.is_expired}

    @rule(user=st.integers(0, 1))
    def the_allowance_is_full_again(self, user: int) -> None:
        delete = "delete from frond.rate_limits where user_id = $1"
        self.world.run(self.world.connection.execute(delete, self.users[user]))
        self.spent[self.users[user]] = 0

    @invariant()
    def the_store_holds_what_the_model_holds(self) -> None:
        query = """
            select user_id, idempotency_key, payload_hash, owner_token, response_payload, awaited
            from public.idempotency_keys where user_id = any($1)
        """
        stored = {
            (row[0], row[1]): (row[2], row[3], row[4], row[5])
            for row in self.world.run(self.world.connection.fetch(query, self.users))
        }
        assert stored == {
            name: (row.payload_hash, row.owner, row.answer and row.answer.body.decode(), row.is_awaited)
            for name, row in self.rows.items()
        }


def found_in(row: Row, claim: Claim) -> Found | type[Exception] | None:
    """None where the attempt may take over."""
    if row.payload_hash != claim.payload_hash:
        return IdempotencyKeyReusedError
    if row.answer is not None:
        return Found.REPLAYED
    if row.owner == claim.owner_token:
        return Found.CLAIMED
    return None if row.is_lapsed else Found.IN_FLIGHT


@pytest.fixture
def world(shared_database: Database) -> Iterator[World]:
    async def open_world(stack: AsyncExitStack) -> tuple[PostgresStore, asyncpg.Connection]:
        opened = await stack.enter_async_context(open_database(shared_database.gateway_url))
        connection = await stack.enter_async_context(shared_database.owner())
        return PostgresStore(opened, RateLimit(BURST, HOURS)), connection

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        yield World(runner, *runner.run(open_world(stack)))
        runner.run(stack.aclose())


def test_the_store_and_the_model_agree(world: World) -> None:
    class Machine(Protocol):
        pass

    Machine.world = world
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=150,
            stateful_step_count=40,
            deadline=None,
            derandomize=False,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
