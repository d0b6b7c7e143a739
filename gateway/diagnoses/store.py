"""Idempotency keys in PostgreSQL, under the row-level security of their user."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.diagnoses.protocols import Answer
from gateway.errors import IdempotencyKeyReusedError, RequestInFlightError
from gateway.queries import load_queries

if TYPE_CHECKING:
    import asyncpg

    from gateway.database import Database
    from gateway.diagnoses.protocols import Claim

QUERIES = Path(__file__).with_name("queries.sql")
# Both paths of the endpoint are the same one to a key.
ENDPOINT = "/v1/ai-inference"
# A diagnosis takes less than this nearly always: waiting for the end of the other one's lease would be too long.
MAX_RETRY_AFTER = timedelta(seconds=1)
MILLISECOND = timedelta(milliseconds=1)


class PostgresStore:
    """Each method is one statement; the functions that they call stand in the migrations."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = load_queries(QUERIES)

    async def claim(self, claim: Claim) -> Answer | None:
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
        )
        match row["outcome"]:
            case "replayed":
                return replay(row)
            case "mismatch":
                raise IdempotencyKeyReusedError("This Idempotency-Key was used for another request.")
            case "in_flight":
                raise in_flight(row["lease_left"])
        return None  # claimed, or taken over

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
        )
        match row["outcome"]:
            case "replayed":
                return replay(row)
            case "superseded":
                raise in_flight(MAX_RETRY_AFTER)
        return answer

    async def release(self, claim: Claim) -> None:
        await self._database.fetch_row(
            self._queries["release"], claim.caller.claims, ENDPOINT, claim.key, claim.owner_token
        )


def replay(row: asyncpg.Record) -> Answer:
    return Answer(row["answer_status"], row["answer"].encode(), replayed=True)


def in_flight(lease_left: timedelta) -> RequestInFlightError:
    wait = min(lease_left, MAX_RETRY_AFTER)
    return RequestInFlightError("The same request is being answered.", retry_after_ms=max(1, wait // MILLISECOND))
