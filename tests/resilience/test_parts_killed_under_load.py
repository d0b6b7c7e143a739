"""Two gateways, two Tritons, one PostgreSQL: one part after another dies by SIGKILL under load, and comes back.

Half a minute, or as long as FROND_RESILIENCE_SECONDS says, and until each part was killed.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx2
import pytest

from frond.types import DiagnosisResponse
from tests.gateway_processes import NO_RATE_LIMIT, GatewayServer, Site, site
from tests.gateways import png

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server_process import Server

SECONDS = float(os.environ.get("FROND_RESILIENCE_SECONDS", "30"))
WORKERS = 6
PHOTOS = [png(shade, side=64) for shade in range(20, 200, 20)]
DOWN_SECONDS, SETTLED_SECONDS = 1.5, 1.5
# A try takes 5 s at worst, and the slowest part is back after about as much.
GIVE_UP_SECONDS = 45
TRY_SECONDS = 15


@dataclass
class Course:
    """What happened: answers by key, how tries failed, which requests never got an answer."""

    answers: dict[uuid.UUID, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    failed_tries: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    killed: Counter[str] = field(default_factory=Counter)


@pytest.mark.timeout(SECONDS + 180)
async def test_every_request_is_answered_once_while_one_part_after_another_is_killed(tmp_path: Path) -> None:
    async with site(tmp_path, tritons=2, **NO_RATE_LIMIT) as parts:
        course = await drive(parts)
        rows = await parts.postgres.rows()
    print(f"{len(course.answers)} requests, {dict(course.killed)}, {dict(course.failed_tries)}")
    assert course.lost == []
    assert all(len(answers) == 1 for answers in course.answers.values())
    stored = {key: row["answer"].encode() for key, row in rows.items() if row["status"] == "completed"}
    assert stored == {key: next(iter(answers)) for key, answers in course.answers.items()}
    assert len(course.killed) == 5
    assert course.failed_tries, "no kill was felt: it proves nothing"


async def drive(parts: Site) -> Course:
    course, done = Course(), asyncio.Event()
    limits = httpx2.Limits(max_keepalive_connections=WORKERS)
    async with (
        httpx2.AsyncClient(trust_env=False, timeout=TRY_SECONDS, limits=limits) as client,
        asyncio.TaskGroup() as tasks,
    ):
        for _ in range(WORKERS):
            tasks.create_task(ask_on_and_on(parts, client, course, done))
        await kill_in_turn(parts, course)
        done.set()
    return course


async def kill_in_turn(parts: Site, course: Course) -> None:
    (first_gateway, second_gateway), (first_triton, second_triton) = parts.gateways, parts.tritons
    turn: list[Server] = [first_gateway, first_triton, parts.postgres, second_gateway, second_triton]
    end = time.monotonic() + SECONDS
    for part in itertools.cycle(turn):
        if time.monotonic() > end and len(course.killed) == len(turn):
            return
        await asyncio.sleep(SETTLED_SECONDS)
        await part.kill()
        course.killed[part.name] += 1
        await asyncio.sleep(DOWN_SECONDS)
        await part.start()


async def ask_on_and_on(parts: Site, client: httpx2.AsyncClient, course: Course, done: asyncio.Event) -> None:
    """Every third request is sent to both gateways at the same time."""
    gateways = parts.gateways
    for number in itertools.count():
        if done.is_set():
            return
        key, photo = uuid.uuid4(), PHOTOS[number % len(PHOTOS)]
        orders = [gateways, gateways[::-1]] if number % 3 == 0 else [gateways[:: (-1) ** number]]
        await asyncio.gather(*(ask_until_answered(order, client, course, key, photo) for order in orders))


async def ask_until_answered(
    order: tuple[GatewayServer, ...], client: httpx2.AsyncClient, course: Course, key: uuid.UUID, photo: bytes
) -> None:
    """One key, at one gateway after the other as long as the error says that it may be tried again."""
    give_up = time.monotonic() + GIVE_UP_SECONDS
    for gateway in itertools.cycle(order):
        if time.monotonic() > give_up:
            course.lost.append("gave up")
            return
        try:
            response = await gateway.ask(client, key, photo)
        except httpx2.TransportError:
            course.failed_tries["network"] += 1
            await asyncio.sleep(0.2)
            continue
        envelope = DiagnosisResponse.model_validate_json(response.content)
        if envelope.success:
            course.answers[key].add(response.content)
            return
        assert envelope.error is not None
        course.failed_tries[envelope.error.code] += 1
        if not envelope.error.retryable:
            course.lost.append(f"{envelope.error.code}: {envelope.error.message}")
            return
        await asyncio.sleep((envelope.error.retry_after_ms or 100) / 1000)
