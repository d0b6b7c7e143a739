"""schemathesis over the OpenAPI document, against a gateway with a real database: no answer is outside the contract."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from gateway.errors import DeadlineError, ModelFailedError, OverloadedError, TritonUnavailableError
from gateway.migrate import migrate, read_migrations
from stack.paths import ROOT
from tests.gateways import FakeDiagnoser, Gateway, SigningKey, parts_with, png, serve, settings_in, sha256

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from gateway.app import Parts
    from gateway.deadline import Deadline
    from gateway.diagnoses.protocols import ModelAnswer
    from gateway.health.service import Lifecycle
    from gateway.metrics import Metrics
    from gateway.settings import Settings
    from tests.conftest import RunningPostgres

# At least so many requests; `make fuzz` asks for ten thousand, and for another seed each time.
REQUESTS = int(os.environ.get("FROND_FUZZ_REQUESTS", "500"))
SEED = os.environ.get("FROND_FUZZ_SEED", "1")
REQUESTS_OF_AN_EXAMPLE = 9  # of all operations together, beyond the five hundred of the phase «coverage»
CHECKS = (
    "frond_envelope",
    "status_code_conformance",  # a status that is not in the document is outside the contract
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
NO_LIMITS = {"rate_limit_burst": 100_000, "rate_limit_per_minute": 1_000_000, "unauthenticated_per_second": 1e6}


class Moody(FakeDiagnoser):
    """Answers as a rule, and fails in turn in each way that a caller may see."""

    def __init__(self) -> None:
        super().__init__()
        faults = (
            OverloadedError("busy"),
            DeadlineError("late"),
            TritonUnavailableError("out"),
            ModelFailedError("broken"),
        )
        self._moods = itertools.cycle([None, None, *faults])

    async def diagnose(
        self, photos: Sequence[bytes], top_k: int, version: str | None, request_id: str, deadline: Deadline
    ) -> ModelAnswer:
        self.error = next(self._moods)
        return await super().diagnose(photos, top_k, version, request_id, deadline)


@pytest.fixture
def database_url(postgres: RunningPostgres) -> str:
    async def make() -> None:
        connection = await asyncpg.connect(postgres.url())
        await connection.execute("create database fuzzed")
        await migrate(postgres.url("fuzzed"), read_migrations())
        await connection.execute("alter role frond_gateway password 'of-the-tests'")
        await connection.close()

    asyncio.run(make())
    return postgres.url("fuzzed", "frond_gateway", "of-the-tests")


@pytest.fixture
async def fuzzed(tmp_path: Path, database_url: str) -> AsyncIterator[tuple[Gateway, Metrics]]:
    """The gateway, and what it counts."""
    key, found = SigningKey(), []
    settings = settings_in(tmp_path, key, database_url=database_url, **NO_LIMITS)

    @asynccontextmanager
    async def open_parts(settings: Settings, lifecycle: Lifecycle) -> AsyncIterator[Parts]:
        async with parts_with(Moody())(settings, lifecycle) as parts:
            found.append(parts["metrics"])
            yield parts

    async with serve(settings, open_parts) as client:
        yield Gateway(client, key, settings), found[0]


def counted(metrics: Metrics) -> dict[str, float]:
    """Requests by their status."""
    (family,) = metrics.requests.collect()
    samples = [sample for sample in family.samples if sample.name.endswith("_total")]
    statuses = sorted({sample.labels["status"] for sample in samples})
    return {status: sum(sample.value for sample in samples if sample.labels["status"] == status) for status in statuses}


async def run_schemathesis(gateway: Gateway, folder: Path, examples: int) -> tuple[int | None, str]:
    """Its exit status and what it says."""
    photo = png()
    url = (await gateway.upload(photo))["downloadUrl"]
    reference = {"url": url, "sha256": sha256(photo), "contentType": "image/png", "bytes": len(photo)}
    token = gateway.key.token(exp=timedelta(hours=2))
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("st"),
        *("run", str(gateway.client.base_url.join("/openapi.json"))),
        *("--header", f"Authorization: Bearer {token}"),
        *("--checks", ",".join(CHECKS), "--max-examples", str(examples), "--seed", SEED),
        *("--continue-on-failure", "--suppress-health-check", "all", "--warnings", "off"),
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.contract.schemathesis_hooks",
            "FROND_TEST_PHOTO": json.dumps(reference),
            "NO_PROXY": "*",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, output.decode()


@pytest.mark.timeout(3600)
async def test_no_answer_is_outside_the_contract(fuzzed: tuple[Gateway, Metrics], tmp_path: Path) -> None:
    gateway, metrics = fuzzed
    examples = 10 + max(0, int((REQUESTS - 500) / REQUESTS_OF_AN_EXAMPLE))
    status, output = await run_schemathesis(gateway, tmp_path, examples)
    seen = counted(metrics)
    print(f"{sum(seen.values()):.0f} requests: {seen}")
    assert status == 0, output
    assert sum(seen.values()) >= REQUESTS
    assert {"200", "204", "400", "401", "403", "405", "415", "422"} <= set(seen)
    assert "500" not in seen
