"""A canary under load, with real gateways, a real Triton and a real PostgreSQL: a worse one takes itself back."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx2
import pytest

from tests.gateway_processes import NO_RATE_LIMIT, GatewayServer, Site, site
from tests.gateways import png
from tests.releases import CAUTIOUS, FAILING, NO_ABSTENTION, calibrate, models_with
from tests.server_process import running

if TYPE_CHECKING:
    from pathlib import Path

WORKERS = 4
GIVE_UP_SECONDS = 60
REACHES_ALL_SECONDS = 6  # twice what a gateway takes to hear of it


async def verdict_of(parts: Site) -> str | None:
    connection = await asyncpg.connect(parts.postgres.owner_url)
    try:
        verdict: str | None = await connection.fetchval("select verdict from frond.canaries where version = '2'")
    finally:
        await connection.close()
    return verdict


async def version_of(gateway: GatewayServer, client: httpx2.AsyncClient, number: int) -> str:
    """The release that answered a photo. Every request is answered, whatever the canary does."""
    response = await gateway.ask(client, uuid.uuid4(), png(number % 256, side=16 + number // 256))
    assert response.status_code == 200, response.text
    return str(response.json()["result"]["model"]["version"])


async def ask_until_verdict(parts: Site, client: httpx2.AsyncClient) -> tuple[str, list[str]]:
    """The verdict, and which releases answered until then."""
    numbers, versions, give_up = itertools.count(), list[str](), time.monotonic() + GIVE_UP_SECONDS
    while (verdict := await verdict_of(parts)) is None:
        assert time.monotonic() < give_up, f"not taken back after {len(versions)} requests"
        gateways = itertools.islice(itertools.cycle(parts.gateways), WORKERS)
        versions += await asyncio.gather(*(version_of(gateway, client, next(numbers)) for gateway in gateways))
    return verdict, versions


@pytest.mark.parametrize("kind", [FAILING, CAUTIOUS])
async def test_a_worse_canary_takes_itself_back_everywhere_and_no_request_fails(kind: str, tmp_path: Path) -> None:
    canary: dict[str, Any] = {"canary_version": "2", "canary_share": 0.5}
    async with (
        site(tmp_path, models=lambda repository: models_with(kind, repository), **canary, **NO_RATE_LIMIT) as parts,
        httpx2.AsyncClient(trust_env=False, timeout=30) as client,
    ):
        verdict, versions = await ask_until_verdict(parts, client)
        assert ("abstentions" in verdict) == (kind == CAUTIOUS)
        assert ("2" in versions) == (kind == CAUTIOUS)
        assert "1" in versions
        await asyncio.sleep(REACHES_ALL_SECONDS)
        new = parts.another_gateway("new", **canary)
        async with running(new):
            later = [
                await version_of(gateway, client, number) for number in range(20) for gateway in (*parts.gateways, new)
            ]
        assert set(later) == {"1"}
        assert await verdict_of(parts) == verdict


async def test_an_equal_canary_stays_and_the_same_photo_gets_the_same_release_everywhere(tmp_path: Path) -> None:
    def equal(repository: Path) -> None:
        models_with(CAUTIOUS, repository)
        calibrate(repository / "classifier_2", "2", **NO_ABSTENTION)

    async with (
        site(tmp_path, models=equal, canary_version="2", canary_share=0.5, **NO_RATE_LIMIT) as parts,
        httpx2.AsyncClient(trust_env=False, timeout=30) as client,
    ):
        answered = {}
        for gateway in parts.gateways:
            answered[gateway.name] = [await version_of(gateway, client, number) for number in range(40)]
        first, second = answered.values()
        assert set(first) == {"1", "2"}
        assert first == second
        assert await verdict_of(parts) is None
