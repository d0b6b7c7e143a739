"""Idempotency keys and rate limits in PostgreSQL, under the row-level security of their user."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.allowance import Allowance
from gateway.diagnoses.protocols import Answer, Claimed, Found
from gateway.errors import IdempotencyKeyReusedError, RateLimitedError, RequestInFlightError
from gateway.queries import load_queries

if TYPE_CHECKING:
    import asyncpg

    from gateway.database import Database
    from gateway.diagnoses.protocols import Claim

QUERIES = Path(__file__).with_name("queries.sql")
# Both paths of the endpoint are the same one to a key.
ENDPOINT = "/v1/ai-inference"
# A diagnosis takes less than this nearly always: there is no telling how long another attempt has left.
SUPERSEDED_RETRY_AFTER_MS = 1000
MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many new requests of a user may start at once, and the time between two of them in the long run."""

    burst: int
    period: timedelta

    @classmethod
    def per_minute(cls, burst: int, requests: float) -> RateLimit:
        return cls(burst, timedelta(minutes=1) / requests)

    def allowance(self, row: asyncpg.Record) -> Allowance | None:
        """Of a row of `frond.spend_allowance`; None where nothing was spent."""
        if row["remaining"] is None:
            return None
        seconds = self.period.total_seconds()
        return Allowance(self.burst, seconds, row["remaining"], row["full_in"].total_seconds())

    def refusal(self, row: asyncpg.Record) -> RateLimitedError:
        per_minute = timedelta(minutes=1) / self.period
        message = f"At most {self.burst} new requests at once, and {per_minute:g} a minute in the long run."
        return RateLimitedError(message, max(1, -(-row["retry_after"] // MILLISECOND)), self.allowance(row))


class PostgresStore:
    """Each method is one statement; the functions that they call stand in the migrations.

    All of them may run twice, should a connection break before the answer came: the owner token tells.
    """

    def __init__(self, database: Database, limit: RateLimit) -> None:
        self._database = database
        self._limit = limit
        self._queries = load_queries(QUERIES)

    async def claim(self, claim: Claim, *, may_start: bool) -> Claimed:
        row = await self._database.fetch_row(
            self._queries["claim"],
            claim.caller.claims,
            ENDPOINT,
            claim.key,
            claim.payload_hash,
            json.dumps(claim.payload),
            claim.client_tx_id,
            claim.owner_token,
            claim.lease,
            may_start,
            self._limit.burst,
            self._limit.period,
        )
        match row["outcome"]:
            case "mismatch":
                raise IdempotencyKeyReusedError("This Idempotency-Key was used for another request.")
            case "rate_limited":
                raise self._limit.refusal(row)
            case "replayed":
                return Claimed(Found.REPLAYED, answer=replay(row))
        return Claimed(Found(row["outcome"]), lease_left=row["lease_left"], allowance=self._limit.allowance(row))

    async def complete(self, claim: Claim, answer: Answer) -> Answer:
        row = await self._database.fetch_row(
            self._queries["complete"],
            claim.caller.claims,
            ENDPOINT,
            claim.key,
            claim.payload_hash,
            claim.owner_token,
            answer.body.decode(),
            None if answer.rejection is None else json.dumps(answer.rejection),
            is_patient=True,
        )
        match row["outcome"]:
            case "replayed":
                return replay(row)
            case "superseded":
                raise RequestInFlightError("The same request is being answered.", SUPERSEDED_RETRY_AFTER_MS)
        return answer

    async def release(self, claim: Claim, *, unless_awaited: bool = False) -> bool:
        row = await self._database.fetch_row(
            self._queries["release"], claim.caller.claims, ENDPOINT, claim.key, claim.owner_token, unless_awaited
        )
        return bool(row["released"])


def replay(row: asyncpg.Record) -> Answer:
    return Answer(row["answer_status"], row["answer"].encode(), replayed=True)
