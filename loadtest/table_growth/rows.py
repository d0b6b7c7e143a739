"""Rows as the gateway leaves them, made inside PostgreSQL: answers in the contract's own form."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from frond.types import Diagnosis, DiagnosisResponse, ImageDiagnosis, ModelInfo, Prediction, Timing
from gateway.queries import load_queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import asyncpg

    from loadtest.table_growth.server import Server

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))
ANSWERS = 256
CHUNK_ROWS = 50_000
ROWS_A_USER = 10  # in 24 hours
KEPT = timedelta(hours=24)
MOST_PHOTOS = 3
CROPS, CONDITIONS = ("Tomato", "Potato", "Grape", "Apple"), ("Late blight", "Leaf mold", "Black rot", "healthy")


def answer(chance: random.Random) -> str:
    """The body of a success: one to three photos, five predictions for each and for all."""
    images = [
        ImageDiagnosis(sha256=chance.randbytes(32).hex(), predictions=_predictions(chance))
        for _ in range(chance.randint(1, MOST_PHOTOS))
    ]
    model = ModelInfo(name="classifier", version="1", temperature=0.58, calibration_error=0.0096)
    timing = Timing(**{name: round(chance.uniform(0, 90), 3) for name in Timing.model_fields})
    result = Diagnosis(
        predictions=_predictions(chance),
        abstained=False,
        abstain_reason=None,
        images=images,
        model=model,
        timing_ms=timing,
    )
    request_id = str(UUID(bytes=chance.randbytes(16)))
    return DiagnosisResponse(success=True, request_id=request_id, result=result).model_dump_json(by_alias=True)


def _predictions(chance: random.Random) -> list[Prediction]:
    return [_prediction(chance) for _ in range(5)]


def _prediction(chance: random.Random) -> Prediction:
    crop, condition = chance.choice(CROPS), chance.choice(CONDITIONS)
    label = f"{crop}___{condition.replace(' ', '_')}"
    return Prediction(
        label=label, crop=crop, condition=condition, healthy=condition == "healthy", confidence=chance.random()
    )


async def fill(server: Server, rows: int, say: Callable[[str], None]) -> None:
    """Up to `rows` rows that live, made in the last 23 hours; nothing where there are as many. Two sessions work."""
    async with server.owner() as owner:
        present = int(await owner.fetchval("select count(*) from public.idempotency_keys"))
    missing = max(0, rows - present)
    now = datetime.now(UTC)
    chunks = [min(CHUNK_ROWS, missing - begun) for begun in range(0, missing, CHUNK_ROWS)]
    bounds = [now - timedelta(hours=23) * (1 - number / len(chunks)) for number in range(len(chunks) + 1)]
    waiting = list(zip(chunks, bounds, bounds[1:], strict=False))[::-1]

    async def work() -> None:
        async with server.owner() as connection:
            while waiting:
                count, first, last = waiting.pop()
                await insert(connection, count, rows // ROWS_A_USER, first, last)
                if len(waiting) % 10 == 0:
                    say(f"{len(waiting) * CHUNK_ROWS:,} rows to go")

    async with server.owner() as owner, packed(owner):
        await prepare(owner)
        await asyncio.gather(work(), work())
        await owner.execute("vacuum (analyze) public.idempotency_keys")


async def prepare(connection: asyncpg.Connection) -> None:
    """The answers that rows are made of."""
    chance = random.Random(7)
    await connection.execute(QUERIES["make_samples"])
    await connection.executemany(QUERIES["add_sample"], [(number, answer(chance)) for number in range(ANSWERS)])


async def insert(connection: asyncpg.Connection, count: int, users: int, first: datetime, last: datetime) -> None:
    """Answered rows of so many users, made between the two moments, in that order."""
    await connection.execute(QUERIES["fill"], count, users, first, last)


async def insert_expired(server: Server, count: int) -> None:
    """The oldest of all: they ran out within the last hour."""
    async with server.owner() as owner, packed(owner):
        await prepare(owner)
        end = datetime.now(UTC) - KEPT - timedelta(seconds=1)
        await insert(owner, count, count // ROWS_A_USER, end - timedelta(hours=1), end)


@asynccontextmanager
async def packed(owner: asyncpg.Connection) -> AsyncIterator[None]:
    """Answered rows fill their pages, as they do once the answers have taken the room that was left for them."""
    room = await owner.fetchval(QUERIES["fillfactor"])
    await owner.execute("alter table public.idempotency_keys set (fillfactor = 100)")
    try:
        yield
    finally:
        await owner.execute(f"alter table public.idempotency_keys set (fillfactor = {room})")
