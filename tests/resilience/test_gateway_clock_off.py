"""A gateway whose clock is an hour off: leases and lifetimes are the database's, tokens are judged by its own clock."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.gateways import ALICE, PATH, form
from tests.resilience.gateway_steps import Step, caught_at, photo_for
from tests.server_process import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

    from tests.gateway_processes import GatewayServer, Site

# The clock of this one process, as all that is written in Python reads it, but gRPC: that adds its timeouts to this
# clock and compares with the clock of C, which is right. asyncpg comes first because its C wants the true class.
PROGRAM = """
import datetime, runpy, time, types
import asyncpg, grpc.aio._utils

offset, now, right = {seconds}, time.time, datetime.datetime

class Shifted(right):
    @classmethod
    def now(cls, tz=None):
        return right.now(tz) + datetime.timedelta(seconds=offset)

time.time = lambda: now() + offset
time.time_ns = lambda: int(time.time() * 1e9)
datetime.datetime = Shifted
grpc.aio._utils.time = types.SimpleNamespace(time=now)
runpy.run_module("gateway", run_name="__main__", alter_sys=True)
"""
HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)


@pytest.fixture(params=[HOUR, -HOUR], ids=["ahead", "behind"])
async def off(request: pytest.FixtureRequest, two_gateways: Site) -> AsyncIterator[tuple[GatewayServer, timedelta]]:
    """A gateway with that clock, and how far it is ahead."""
    shift: timedelta = request.param
    program = PROGRAM.format(seconds=shift.total_seconds())
    gateway = two_gateways.another_gateway(f"off-{uuid.uuid4().hex[:4]}", program=program, cleanup_seconds=0.5)
    async with running(gateway):
        yield gateway, shift


async def ask(
    gateway: GatewayServer, client: httpx2.AsyncClient, key: uuid.UUID, shift: timedelta, deadline_ms: int = 8000
) -> httpx2.Response:
    """With a token that an issuer of the gateway's own opinion of the time would have made."""
    token = gateway.signing_key.token(ALICE, iat=shift, exp=shift + timedelta(minutes=10))
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(key), "X-Frond-Deadline-Ms": str(deadline_ms)}
    return await client.post(gateway.url + PATH, files=form(photo_for(key)), headers=headers)


async def test_leases_and_lifetimes_are_the_databases(
    two_gateways: Site, client: httpx2.AsyncClient, off: tuple[GatewayServer, timedelta]
) -> None:
    key = uuid.uuid4()
    assert (await ask(*off[:1], client, key, off[1])).status_code == 200
    row = (await two_gateways.postgres.rows())[key]
    now = datetime.now(UTC)
    assert abs(row["created_at"] - now) < timedelta(minutes=1)
    assert abs(row["leased_until"] - now) < timedelta(minutes=1)
    assert abs(row["expires_at"] - DAY - now) < timedelta(minutes=1)


async def test_it_neither_takes_over_what_another_works_on_nor_forgets_what_another_answered(
    two_gateways: Site, client: httpx2.AsyncClient, off: tuple[GatewayServer, timedelta]
) -> None:
    gateway, shift = off
    async with caught_at(Step.ANSWERED, two_gateways, client) as caught:
        duplicate = await ask(gateway, client, caught.key, shift, deadline_ms=500)
        assert (duplicate.status_code, duplicate.json()["error"]["code"]) == (409, "request_in_flight")
        caught.trap.release()
        answer = await caught.response
        assert answer.status_code == 200
        replayed = await ask(gateway, client, caught.key, shift)
    assert replayed.headers["idempotency-replayed"] == "true"
    assert replayed.content == answer.content


async def test_what_it_works_on_is_not_taken_over_by_one_with_the_right_clock(
    two_gateways: Site, client: httpx2.AsyncClient, off: tuple[GatewayServer, timedelta]
) -> None:
    gateway, shift = off
    key = uuid.uuid4()
    both = await asyncio.gather(
        ask(gateway, client, key, shift), two_gateways.gateways[0].ask(client, key, photo_for(key))
    )
    assert [response.status_code for response in both] == [200, 200]
    assert both[0].content == both[1].content


async def test_a_token_that_is_valid_by_the_right_clock_is_refused_for_its_times_alone(
    client: httpx2.AsyncClient, off: tuple[GatewayServer, timedelta]
) -> None:
    gateway, shift = off
    refused = await ask(gateway, client, uuid.uuid4(), timedelta(0))
    error = refused.json()["error"]
    assert (refused.status_code, error["category"]) == (401, "auth")
    assert error["code"] == ("token_expired" if shift > timedelta(0) else "token_invalid")
