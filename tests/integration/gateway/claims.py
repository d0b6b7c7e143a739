"""Claims of an idempotency key, and answers to store under it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from gateway.auth.protocols import Caller
from gateway.diagnoses.protocols import Answer, Claim
from tests.gateways import ALICE

if TYPE_CHECKING:
    from gateway.diagnoses.protocols import Found
    from gateway.diagnoses.store import PostgresStore

LONG, LAPSED = timedelta(seconds=60), timedelta(0)
# Spaces, order and digits that a parsed and printed JSON would lose.
ANSWER = Answer(200, b'{"b":1,  "a": 0.10, "b": "\xc3\xa9"}')
REJECTION = Answer(422, b'{"success":false}', {"status": 422, "category": "validation", "code": "image_corrupt"})


def claims_json(user: UUID, role: str = "authenticated") -> str:
    return json.dumps({"sub": str(user), "role": role})


def claim_of(key: UUID, user: UUID = ALICE, payload_hash: str = "a" * 64, lease: timedelta = LONG) -> Claim:
    """Another attempt, with a token of its own, each time."""
    caller = Caller(user, claims_json(user))
    return Claim(caller, key, {"asked": 1}, payload_hash, "assessment", uuid4(), lease)


async def start(store: PostgresStore, claim: Claim) -> Found:
    return (await store.claim(claim, may_start=True)).found
