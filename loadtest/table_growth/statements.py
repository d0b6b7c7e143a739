"""The gateway's own statements under its own login: claim, completion and replay, each timed alone."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from gateway.queries import load_queries
from loadtest.gpu.timing import percentile
from loadtest.table_growth import rows
from stack.paths import ROOT

if TYPE_CHECKING:
    import asyncpg

STATEMENTS = load_queries(Path(ROOT, "gateway", "diagnoses", "queries.sql"))
ENDPOINT = "/v1/ai-inference"
LEASE, PERIOD, BURST = timedelta(seconds=10), timedelta(milliseconds=1), 1000
IN_FLIGHT = 16  # claims that wait for the model: as many others come between a claim and its completion
HASH = "0" * 64


@dataclass(slots=True)
class Times:
    """Seconds of each statement."""

    claim: list[float] = field(default_factory=list)
    complete: list[float] = field(default_factory=list)
    replay: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, dict[str, float]]:
        """Milliseconds."""
        return {
            name: {f"p{share * 100:g}": percentile(sorted(taken), share) * 1000 for share in (0.5, 0.99)}
            for name in self.__slots__
            if (taken := getattr(self, name))
        }


@dataclass(frozen=True, slots=True)
class Claimed:
    user: str
    key: UUID
    token: UUID


class Requests:
    """One session: users that the table knows, keys that it does not."""

    def __init__(self, connection: asyncpg.Connection, users: int, times: Times) -> None:
        self._connection = connection
        self._users = users
        self._times = times
        self._chance = random.Random(uuid4().int)
        self._pending: deque[Claimed] = deque()
        self._answers = [rows.answer(self._chance) for _ in range(64)]

    async def one(self) -> None:
        """A claim, and the completion of the one that came `IN_FLIGHT` before it."""
        await self.claim()
        if len(self._pending) > IN_FLIGHT:
            await self.complete()

    async def claim(self) -> None:
        user = user_id(self._chance.randint(0, self._users))
        claimed = Claimed(user, uuid4(), uuid4())
        outcome = await self._ask(self._times.claim, "claim", *claim_of(claimed))
        expect("claimed", outcome)
        self._pending.append(claimed)

    async def complete(self) -> None:
        claimed = self._pending.popleft()
        answer = self._chance.choice(self._answers)
        outcome = await self._ask(
            self._times.complete,
            "complete",
            claims(claimed.user),
            ENDPOINT,
            claimed.key,
            HASH,
            claimed.token,
            answer,
            None,
        )
        expect("completed", outcome)

    async def finish(self) -> None:
        while self._pending:
            await self.complete()

    async def replay(self, user: UUID, key: UUID, payload_hash: str) -> None:
        arguments = claim_of(Claimed(str(user), key, uuid4()))
        expect("replayed", await self._ask(self._times.replay, "claim", *arguments[:3], payload_hash, *arguments[4:]))

    async def _ask(self, taken: list[float], name: str, *arguments: Any) -> str:
        began = time.perf_counter()
        row = await self._connection.fetchrow(STATEMENTS[name], *arguments)
        taken.append(time.perf_counter() - began)
        assert row is not None
        return str(row["outcome"])


def claim_of(claimed: Claimed) -> tuple[Any, ...]:
    asked = {
        "assessmentId": f"assessment-{claimed.key.int % 10**8}", "plantContext": {"id": "plant-1", "species": None},
        "client": {"appVersion": "2.4.1", "platform": "ios", "fallbackReason": "device_timeout"},
        "modelVersion": None, "topK": 5, "images": [{"sha256": claimed.token.hex * 2}],
    }  # fmt: skip
    limits = (LEASE, True, BURST, PERIOD)
    return (claims(claimed.user), ENDPOINT, claimed.key, HASH, json.dumps(asked), "assessment", claimed.token, *limits)


def claims(user: str) -> str:
    return json.dumps({"sub": user, "role": "authenticated", "aud": "authenticated", "iss": "https://frond.local"})


def user_id(number: int) -> str:
    """As `fill` in queries.sql makes them."""
    return str(UUID(md5_of(f"user {number}")))


def md5_of(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def expect(wanted: str, found: str) -> None:
    if found != wanted:
        raise RuntimeError(f"{found} instead of {wanted}")


async def measure(connection: asyncpg.Connection, stored: list[asyncpg.Record], users: int, count: int) -> Times:
    """`count` new requests in a session, and as many replays of what is stored anywhere in the table, in turns."""
    await warm(connection, users)
    times = Times()
    requests = Requests(connection, users, times)
    for number in range(count):
        await requests.one()
        if stored:
            row = stored[number % len(stored)]
            await requests.replay(row["user_id"], row["idempotency_key"], row["payload_hash"])
    await requests.finish()
    return times


async def warm(connection: asyncpg.Connection, users: int) -> None:
    """Prepare the statements and let plpgsql make its plans: a connection of the gateway's lives for hours."""
    requests = Requests(connection, users, Times())
    for _ in range(2 * IN_FLIGHT):
        await requests.one()
    await requests.finish()


async def paced(connection: asyncpg.Connection, users: int, rate: float, until: asyncio.Event) -> Times:
    """New requests, `rate` a second, until the event."""
    await warm(connection, users)
    times = Times()
    requests = Requests(connection, users, times)
    while not until.is_set():
        await requests.one()
        await asyncio.sleep(1 / rate)
    await requests.finish()
    return times
