"""Mutated photos through gateway and Triton: an answer or `validation`, no process dies, none grows.

Five hundred, or as many as FROND_MUTATED_PHOTOS says.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import pytest

from frond.types import DiagnosisResponse, ErrorCategory
from stack import processes
from tests.gateway_processes import NO_RATE_LIMIT, GatewayServer, TritonServer, site
from tests.gateways import DETAILS, PATH
from tests.resilience.mutated_photos import JPEG, Mutant, mutant

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

PHOTOS = int(os.environ.get("FROND_MUTATED_PHOTOS", "500"))
SEED = 20261123
CONNECTIONS = 4
DETAILS_JSON = json.dumps(DETAILS)
SAMPLES = 40
# Allocators grow by 16 and 40 MB at a time until each thread has had its largest photo and batch, after a thousand
# photos. In a quarter of ten thousand this is 50 kB each, a third of one tensor; five hundred show only what is gross.
MAX_GROWTH_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True)
class Sample:
    """Bytes of memory at one moment."""

    gateway: int
    triton: int
    shared: int


@dataclass
class Course:
    """How the photos ended, which ended otherwise than they may, and the memory meanwhile."""

    outcomes: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    def growth(self, part: str) -> int:
        """From the highest of the second quarter to the lowest of the last: allocators keep what a large photo took."""
        values: list[int] = [getattr(sample, part) for sample in self.samples]
        quarter = len(values) // 4
        return min(values[-quarter:]) - max(values[quarter : 2 * quarter])


@pytest.mark.timeout(120 + PHOTOS)
async def test_any_photo_gets_an_answer_or_a_validation_error_and_harms_no_process(
    tmp_path: Path, client: httpx2.AsyncClient
) -> None:
    async with site(tmp_path, gateways=1, **NO_RATE_LIMIT) as parts:
        (gateway,), (triton,) = parts.gateways, parts.tritons
        before = {*gateway.process_ids(), *triton.process_ids()}
        began = time.monotonic()
        course = await send_all(gateway, triton, client)
        seconds = time.monotonic() - began
        after = {*gateway.process_ids(), *triton.process_ids()}
    growth = {part: course.growth(part) for part in ("gateway", "triton", "shared")}
    print(f"{PHOTOS} photos in {seconds:.0f} s; {dict(course.outcomes)}; growth {growth}; {course.samples[-1]}")
    assert course.violations == []
    assert before == after
    assert course.outcomes["answer"] > PHOTOS / 50, "hardly a photo reached the model: it proves nothing"
    assert max(growth["gateway"], growth["triton"]) < MAX_GROWTH_BYTES
    assert growth["shared"] <= 0


async def send_all(gateway: GatewayServer, triton: TritonServer, client: httpx2.AsyncClient) -> Course:
    course, random = Course(), Random(SEED)
    numbered = enumerate(mutant(random) for _ in range(PHOTOS))

    async def sender() -> None:
        for number, one in numbered:
            await send(gateway, client, one, number, course)
            if number % (PHOTOS // SAMPLES) == 0:
                course.samples.append(measured(gateway, triton))

    await asyncio.gather(*(sender() for _ in range(CONNECTIONS)))
    return course


async def send(gateway: GatewayServer, client: httpx2.AsyncClient, one: Mutant, number: int, course: Course) -> None:
    """Every fifth one has a good photo beside it, which must be answered."""
    headers = {"Authorization": f"Bearer {gateway.signing_key.token()}", "Idempotency-Key": str(uuid.uuid4())}
    photos = [("images", ("mutant", one.photo, one.content_type))]
    photos += [("images", ("good", JPEG, "image/jpeg"))] * (number % 5 == 0)
    details = ("request", (None, DETAILS_JSON, "application/json"))
    response = await client.post(gateway.url + PATH, headers=headers, files=[details, *photos])
    envelope = DiagnosisResponse.model_validate_json(response.content)
    if envelope.error is None:
        course.outcomes["answer"] += 1
        return
    course.outcomes[envelope.error.code] += 1
    if envelope.error.category is not ErrorCategory.VALIDATION or not 400 <= response.status_code < 500:
        course.violations.append(f"{number} {one.kind}: {response.status_code} {envelope.error.code}")


def measured(gateway: GatewayServer, triton: TritonServer) -> Sample:
    def family_bytes(process_id: int) -> int:
        return sum(processes.memory_bytes(process.pid) for process in processes.family(process_id))

    return Sample(family_bytes(gateway.process_id), family_bytes(triton.process_id), triton.shared_memory_bytes())
