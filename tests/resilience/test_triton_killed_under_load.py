"""tritonserver dies by SIGKILL in the middle of a load: nothing is lost, nothing is done twice, and it comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx2
import pytest

from cli.connection import local_token
from cli.sample import draw_sample
from frond.types import DiagnosisResponse
from tests.local_stack import LocalStack, local_stack

REQUESTS = 1000
CONCURRENCY = 16
KILL_AFTER = 300
BACK_WITHIN_SECONDS = 10
GIVE_UP_SECONDS = 30
USER = uuid.UUID("7d0f5a3e-3b39-4c7e-9d4b-9f4c2b7a1f10")


@dataclass
class Course:
    """What happened: how each request ended, and when answers were given."""

    answers: int = 0
    retried_errors: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    killed_at: float | None = None
    back_at: float | None = None


@pytest.mark.timeout(300)
def test_every_request_ends_in_an_answer_and_serving_is_back_within_ten_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROND_STATE_DIR", str(tmp_path / "state"))
    with local_stack(tmp_path / "state") as stack:
        course = asyncio.run(drive(stack))
        stored = asyncio.run(count_stored_answers(stack))
    assert course.lost == []
    assert course.answers == REQUESTS
    assert course.retried_errors, "the kill was not felt: it proves nothing"
    assert course.killed_at is not None
    assert course.back_at is not None
    assert course.back_at - course.killed_at < BACK_WITHIN_SECONDS
    assert stored == REQUESTS


async def drive(stack: LocalStack) -> Course:
    course = Course()
    photo = draw_sample()
    numbers = iter(range(REQUESTS))
    headers = {"Authorization": f"Bearer {local_token(USER)}"}
    async with httpx2.AsyncClient(base_url=stack.state()["gateway_url"], headers=headers, timeout=15) as client:

        async def worker() -> None:
            for number in numbers:
                if number == KILL_AFTER:
                    course.killed_at = time.monotonic()
                    os.kill(stack.process_id("triton"), signal.SIGKILL)
                await request_until_answered(client, photo, course)

        await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
    return course


async def request_until_answered(client: httpx2.AsyncClient, photo: bytes, course: Course) -> None:
    """One key, tried again as long as the answer is a retryable error."""
    key = str(uuid.uuid4())
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < give_up:
        began = time.monotonic()
        response = await client.post("/v1/ai-inference", headers={"Idempotency-Key": key}, files=form(photo))
        envelope = DiagnosisResponse.model_validate_json(response.content)
        if envelope.success:
            course.answers += 1
            if course.killed_at and began > course.killed_at and course.back_at is None:
                course.back_at = time.monotonic()
            return
        assert envelope.error is not None
        if not envelope.error.retryable:
            course.lost.append(envelope.error.code)
            return
        course.retried_errors.append(envelope.error.code)
        await asyncio.sleep((envelope.error.retry_after_ms or 100) / 1000)
    course.lost.append("gave up")


def form(photo: bytes) -> dict[str, tuple[str, bytes, str]]:
    request = b'{"assessmentId": "resilience", "plantContext": {"id": "plant"}}'
    return {"request": ("request.json", request, "application/json"), "images": ("leaf.jpg", photo, "image/jpeg")}


async def count_stored_answers(stack: LocalStack) -> int:
    connection = await asyncpg.connect(stack.state()["database_url"])
    try:
        async with connection.transaction():
            await connection.execute("set local role authenticated")
            await connection.execute("select set_config('request.jwt.claims', $1, true)", f'{{"sub": "{USER}"}}')
            return int(await connection.fetchval("select count(*) from idempotency_keys where status = 'completed'"))
    finally:
        await connection.close()
