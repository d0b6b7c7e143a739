"""Claiming a key: what each find is counted as, how one waits for another's answer, and when nothing may begin."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from frond.types import MultipartDetails
from gateway.allowance import Allowance, headers_of
from gateway.auth.protocols import Caller
from gateway.deadline import Deadline
from gateway.diagnoses.keys import LEASE_MARGIN_SECONDS, Keys, claim_for
from gateway.diagnoses.protocols import Answer, Claim, Claimed, Found, Order
from gateway.diagnoses.work import WORK_SECONDS
from gateway.errors import (
    DatabaseUnavailableError,
    DeadlineError,
    GatewayError,
    IdempotencyKeyReusedError,
    OverloadedError,
    RateLimitedError,
    RequestInFlightError,
)
from gateway.memory import Memory, Share
from gateway.metrics import Metrics
from tests.gateways import ALICE, DETAILS, FakeDiagnoser

if TYPE_CHECKING:
    from collections.abc import Iterator

REPLAYED = Claimed(Found.REPLAYED, Answer(200, b"{}", replayed=True))
IN_FLIGHT = Claimed(Found.IN_FLIGHT, lease_left=timedelta(seconds=8))


class ScriptedStore:
    """Answers claims one after the other as it was told; the last one again and again."""

    def __init__(self, *script: Claimed | GatewayError) -> None:
        self.script = list(script)
        self.may_start: list[bool] = []

    async def claim(self, claim: Claim, *, may_start: bool) -> Claimed:  # noqa: ARG002
        self.may_start.append(may_start)
        found = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(found, GatewayError):
            raise found
        return found

    async def complete(self, claim: Claim, answer: Answer) -> Answer:  # noqa: ARG002
        return answer

    async def release(self, claim: Claim, *, unless_awaited: bool = False) -> bool:  # noqa: ARG002
        raise DatabaseUnavailableError("out")


class OneEvent:
    """Announces when the test does."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    @contextmanager
    def expect(self, claim: Claim) -> Iterator[asyncio.Event]:  # noqa: ARG002
        yield self.event


class Desk:
    """Keys over a script, and what they counted."""

    def __init__(self, *script: Claimed | GatewayError) -> None:
        self.store = ScriptedStore(*script)
        self.announcements = OneEvent()
        self.diagnoser = FakeDiagnoser()
        self.metrics = Metrics()
        self.keys = Keys(self.store, self.announcements, self.diagnoser, self.metrics)

    async def claim(self, seconds: float = 5) -> Claimed:
        order = order_with(seconds)
        return await self.keys.claim(order, claim_for(order))

    def decisions(self) -> dict[str, float]:
        (family,) = self.metrics.idempotency.collect()
        return {
            sample.labels["decision"]: sample.value
            for sample in family.samples
            if sample.name.endswith("_total") and sample.value
        }


def order_with(seconds: float) -> Order:
    details = MultipartDetails.model_validate(DETAILS)
    caller, deadline, share = Caller(ALICE, "{}"), Deadline.after(seconds), Share(Memory(0), ALICE)
    return Order(caller, uuid.uuid4(), "request-1", time.monotonic(), deadline, details, (), share)


@pytest.mark.parametrize(
    ("script", "decision"),
    [
        ([Claimed(Found.CLAIMED)], "new"),
        ([Claimed(Found.TAKEN_OVER)], "taken_over"),
        ([REPLAYED], "replayed"),
        ([IN_FLIGHT, REPLAYED], "joined"),
        ([IN_FLIGHT, IN_FLIGHT, Claimed(Found.CLAIMED)], "new"),
        ([IN_FLIGHT, Claimed(Found.TAKEN_OVER)], "taken_over"),
    ],
    ids=lambda value: value if isinstance(value, str) else len(value),
)
async def test_each_find_is_counted_once(script: list[Claimed], decision: str) -> None:
    desk = Desk(*script)
    assert await desk.claim() is script[-1]
    assert desk.decisions() == {decision: 1}


@pytest.mark.parametrize(
    ("error", "decisions"),
    [
        (IdempotencyKeyReusedError("other"), {"mismatch": 1}),
        (RateLimitedError("often"), {}),
        (DatabaseUnavailableError("out"), {}),
    ],
    ids=lambda value: value.code if isinstance(value, GatewayError) else "",
)
async def test_a_refusal_goes_on_to_the_caller(error: GatewayError, decisions: dict[str, float]) -> None:
    desk = Desk(error)
    with pytest.raises(type(error)):
        await desk.claim()
    assert desk.decisions() == decisions
    limited = desk.metrics.registry.get_sample_value("frond_gateway_rate_limited_total")
    assert limited == isinstance(error, RateLimitedError)


async def test_an_announcement_ends_the_wait_at_once() -> None:
    desk = Desk(IN_FLIGHT, IN_FLIGHT, REPLAYED)
    waiting = asyncio.create_task(desk.claim(seconds=60))
    while len(desk.store.may_start) < 2:  # noqa: ASYNC110  (it is in its hands after no time at all)
        await asyncio.sleep(0)
    desk.announcements.event.set()
    async with asyncio.timeout(0.2):  # sooner than the first look without it
        await waiting


async def test_without_any_announcement_one_looks_seldom_and_gets_it_still() -> None:
    desk = Desk(*[IN_FLIGHT] * 4, REPLAYED)
    started = time.monotonic()
    assert await desk.claim(seconds=60) is REPLAYED
    assert time.monotonic() - started > 0.25 + 0.5


async def test_who_cannot_wait_is_told_before_the_deadline_when_to_come_again() -> None:
    desk = Desk(IN_FLIGHT)
    started = time.monotonic()
    with pytest.raises(RequestInFlightError) as raised:
        await desk.claim(seconds=1)
    assert time.monotonic() - started < 1
    assert raised.value.retry_after_ms == 1000
    assert desk.decisions() == {"in_flight": 1}


async def test_at_the_end_of_the_lease_one_looks_again() -> None:
    ending = Claimed(Found.IN_FLIGHT, lease_left=timedelta(milliseconds=10))
    desk = Desk(ending, ending, Claimed(Found.TAKEN_OVER))
    async with asyncio.timeout(0.2):
        assert (await desk.claim()).found is Found.TAKEN_OVER


async def test_what_the_model_could_not_answer_in_time_is_not_begun() -> None:
    desk = Desk(Claimed(Found.NOT_STARTED))
    desk.diagnoser.refusal = OverloadedError("full", 700)
    with pytest.raises(OverloadedError) as raised:
        await desk.claim()
    assert raised.value.retry_after_ms == 700
    assert desk.store.may_start == [False]
    assert desk.decisions() == {"not_started": 1}
    assert desk.metrics.not_admitted.labels("overloaded")._value.get() == 1


async def test_what_is_stored_is_given_out_even_then() -> None:
    desk = Desk(REPLAYED)
    desk.diagnoser.refusal = OverloadedError("full")
    assert await desk.claim() is REPLAYED


async def test_a_key_that_the_database_cannot_release_is_nobodys_need_any_more() -> None:
    desk = Desk(REPLAYED)
    assert await desk.keys.release(claim_for(order_with(5)), unless_awaited=True)


@pytest.mark.parametrize(("seconds", "budget"), [(60, WORK_SECONDS), (2, 2)])
def test_a_lease_covers_the_budget_and_the_statements_around_it(seconds: float, budget: float) -> None:
    lease = claim_for(order_with(seconds)).lease.total_seconds()
    assert lease == pytest.approx(budget + LEASE_MARGIN_SECONDS, abs=0.1)


def test_nothing_is_claimed_after_the_deadline() -> None:
    with pytest.raises(DeadlineError):
        claim_for(order_with(-1))


@pytest.mark.parametrize(
    ("allowance", "expected"),
    [
        (None, {}),
        (Allowance(30, 1.0, 29, 0.4), {"RateLimit-Policy": '"user";q=30;w=30', "RateLimit": '"user";r=29;t=1'}),
        (Allowance(1, 0.001, 0, 0.0), {"RateLimit-Policy": '"user";q=1;w=1', "RateLimit": '"user";r=0;t=0'}),
    ],
    ids=["none", "usual", "smallest"],
)
def test_an_allowance_is_told_in_structured_fields(allowance: Allowance | None, expected: dict[str, str]) -> None:
    assert headers_of(allowance) == expected
