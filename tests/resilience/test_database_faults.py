"""PostgreSQL crashes, restarts or hangs while a request is on its way."""

from __future__ import annotations

import asyncio
import signal
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.gateways import png
from tests.resilience.gateway_steps import DEADLINE_MS, Step, caught_at

if TYPE_CHECKING:
    import httpx2

    from tests.gateway_processes import Site

ANSWERED_SECONDS = 30
# Two statements at most, 2 s each, and a machine that does other work.
QUICK_SECONDS = 8


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_a_request_that_the_database_restarts_under_gets_one_answer(
    two_gateways: Site, client: httpx2.AsyncClient, end: str
) -> None:
    postgres = two_gateways.postgres
    async with caught_at(Step.ANSWERED, two_gateways, client) as caught:
        await (postgres.kill() if end == "kill" else postgres.stop())
        await postgres.start()
        caught.trap.release()
        first = await caught.response
        retried = await two_gateways.gateways[0].ask_until_answered(client, caught.key, caught.photo, ANSWERED_SECONDS)
    assert first.status_code == 200 or first.json()["error"]["category"] in {"server", "timeout"}
    assert retried.status_code == 200
    assert first.status_code != 200 or first.content == retried.content
    assert (await postgres.rows())[caught.key]["answer"].encode() == retried.content


async def test_a_database_that_hangs_gives_a_quick_retryable_error_and_afterwards_one_answer(
    two_gateways: Site, client: httpx2.AsyncClient
) -> None:
    postgres, gateway = two_gateways.postgres, two_gateways.gateways[0]
    key, photo = uuid.uuid4(), png(3)
    postgres.send(signal.SIGSTOP)
    try:
        began = time.monotonic()
        refused = await gateway.ask(client, key, photo, deadline_ms=DEADLINE_MS)
        seconds = time.monotonic() - began
    finally:
        postgres.send(signal.SIGCONT)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["retryable"]) == (503, "database_unavailable", True)
    assert seconds < QUICK_SECONDS
    answered = await gateway.ask_until_answered(client, key, photo, ANSWERED_SECONDS)
    assert answered.status_code == 200
    assert (await postgres.rows())[key]["answer"].encode() == answered.content


async def test_an_answer_that_the_database_hangs_over_is_given_once_it_is_back(
    two_gateways: Site, client: httpx2.AsyncClient
) -> None:
    postgres = two_gateways.postgres
    async with caught_at(Step.ANSWERED, two_gateways, client) as caught:
        postgres.send(signal.SIGSTOP)
        try:
            caught.trap.release()
            async with asyncio.timeout(QUICK_SECONDS):
                first = await caught.response
        finally:
            postgres.send(signal.SIGCONT)
        assert first.json()["error"]["code"] in {"database_unavailable", "deadline_exceeded"}
        retried = await two_gateways.gateways[0].ask_until_answered(client, caught.key, caught.photo, ANSWERED_SECONDS)
        again = await two_gateways.gateways[1].ask(client, caught.key, caught.photo)
    assert retried.status_code == 200
    assert (await postgres.rows())[caught.key]["answer"].encode() == retried.content == again.content
