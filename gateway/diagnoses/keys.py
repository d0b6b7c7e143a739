"""The idempotency key of an order: claimed for an attempt, joined to the one at work, given free again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.cancellation import uncancelled
from gateway.diagnoses import fingerprint
from gateway.diagnoses.protocols import Claim, Claimed, Found
from gateway.diagnoses.work import WORK_SECONDS
from gateway.errors import (
    DatabaseUnavailableError,
    IdempotencyKeyReusedError,
    RateLimitedError,
    RequestInFlightError,
    ServerError,
)

if TYPE_CHECKING:
    from gateway.diagnoses.protocols import Announcements, Diagnoser, IdempotencyStore, Order
    from gateway.metrics import Metrics

logger = logging.getLogger(__name__)

# What an attempt may take beyond its deadline: the claiming and the completing statement, 2 s each at most.
LEASE_MARGIN_SECONDS = 5.0
# Between two looks of one who waits: an announcement comes sooner, unless it got lost or its connection is broken.
FIRST_POLL_SECONDS, MAX_POLL_SECONDS = 0.25, 1.0
# A lease that ends on the database's clock has ended there when we ask.
LEASE_SLACK_SECONDS = 0.02
# Who gets no answer in time is told so before the deadline, or would not hear it.
TELLING_SECONDS = 0.05
# A diagnosis takes less than this nearly always: waiting for the end of the other one's lease would be too long.
MAX_RETRY_AFTER_SECONDS = 1.0


class Keys:
    """Counts what each request found, once."""

    def __init__(
        self, store: IdempotencyStore, announcements: Announcements, diagnoser: Diagnoser, metrics: Metrics
    ) -> None:
        self._store = store
        self._announcements = announcements
        self._diagnoser = diagnoser
        self._metrics = metrics

    async def claim(self, order: Order, claim: Claim) -> Claimed:
        """With an answer, if there is one; otherwise the key is ours.

        Raises what `IdempotencyStore.claim` and `Diagnoser.admit` do, and `RequestInFlightError` when another one is
        at work for as long as the caller waits.
        """
        decision = self._metrics.idempotency.labels
        try:
            claimed = await self._ask(order, claim)
            if claimed.found is Found.IN_FLIGHT:
                claimed = await self._join(order, claim)
                decision("joined" if claimed.found is Found.REPLAYED else DECISIONS[claimed.found]).inc()
            else:
                decision(DECISIONS[claimed.found]).inc()
        except IdempotencyKeyReusedError:
            decision("mismatch").inc()
            raise
        except RequestInFlightError:
            decision("in_flight").inc()
            raise
        except RateLimitedError:
            self._metrics.rate_limited.inc()
            raise
        return claimed

    async def release(self, claim: Claim, *, unless_awaited: bool = False) -> bool:
        """Whether nobody needs the attempt any more."""
        try:
            return await self._store.release(claim, unless_awaited=unless_awaited)
        except DatabaseUnavailableError:
            logger.warning("a key stays claimed until its lease ends")
            return True

    async def _ask(self, order: Order, claim: Claim) -> Claimed:
        """Where the model would not answer in time the key is only read: who needs no new answer is served still."""
        refusal = self._refusal(order)
        try:
            with self._metrics.stage("claim"):
                claimed = await uncancelled(self._store.claim(claim, may_start=refusal is None))
        except asyncio.CancelledError:
            await uncancelled(self.release(claim))
            raise
        if claimed.found is Found.NOT_STARTED:
            assert refusal is not None
            self._metrics.idempotency.labels("not_started").inc()
            self._metrics.not_admitted.labels(refusal.code).inc()
            raise refusal
        return claimed

    def _refusal(self, order: Order) -> ServerError | None:
        try:
            self._diagnoser.admit(order.details.model_version, order.deadline.within(WORK_SECONDS))
        except ServerError as error:
            return error
        return None

    async def _join(self, order: Order, claim: Claim) -> Claimed:
        """Wait until the one at work has answered, gives up, or loses its lease."""
        with self._metrics.stage("join"), self._announcements.expect(claim) as announced:
            poll_seconds = FIRST_POLL_SECONDS
            while True:
                announced.clear()
                claimed = await self._ask(order, claim)
                if claimed.found is not Found.IN_FLIGHT:
                    return claimed
                lease_seconds = claimed.lease_left.total_seconds() if claimed.lease_left is not None else poll_seconds
                caller_seconds = order.deadline.at - time.monotonic() - TELLING_SECONDS
                if caller_seconds <= 0:
                    raise in_flight(lease_seconds)
                await wait(announced, min(poll_seconds, caller_seconds, lease_seconds + LEASE_SLACK_SECONDS))
                poll_seconds = min(2 * poll_seconds, MAX_POLL_SECONDS)


DECISIONS = {Found.CLAIMED: "new", Found.TAKEN_OVER: "taken_over", Found.REPLAYED: "replayed"}


async def wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):  # no wait_for: in Python 3.11 it can swallow a cancellation
        async with asyncio.timeout(seconds):
            await event.wait()


def in_flight(lease_seconds: float) -> RequestInFlightError:
    milliseconds = max(1, int(min(lease_seconds, MAX_RETRY_AFTER_SECONDS) * 1000))
    return RequestInFlightError("The same request is being answered.", retry_after_ms=milliseconds)


def claim_for(order: Order) -> Claim:
    """An attempt's lease covers its budget and the statements around it. Raises `DeadlineError` if it is over."""
    asked = fingerprint.payload(order.details, (photo.sha256 for photo in order.photos))
    seconds = order.deadline.within(WORK_SECONDS).remaining() + LEASE_MARGIN_SECONDS
    return Claim(
        caller=order.caller,
        key=order.key,
        payload=asked,
        payload_hash=fingerprint.fingerprint(asked),
        client_tx_id=order.details.assessment_id,
        owner_token=uuid.uuid4(),
        lease=timedelta(seconds=seconds),
    )
