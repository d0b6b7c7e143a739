"""A gateway dies by SIGKILL in the middle of a request; the request is sent again to another one."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.resilience.gateway_steps import LEASE_SECONDS, Step, caught_at

if TYPE_CHECKING:
    import asyncpg

    from tests.gateway_processes import Site

# What a taken-over request may take, and the interval at which those who wait look: on a machine that does other work.
SLACK_SECONDS = 10


@dataclass(frozen=True)
class Outcome:
    """The answer to the first try elsewhere, to one more, and what is stored."""

    first: httpx2.Response
    again: httpx2.Response
    seconds: float
    row: asyncpg.Record


@pytest.fixture(scope="module")
def outcomes(two_gateways: Site) -> dict[Step, Outcome]:
    """Of all steps at once: most of the time goes by in waiting for leases to end."""
    return asyncio.run(kill_at_all(two_gateways))


async def kill_at_all(site: Site) -> dict[Step, Outcome]:
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        outcomes = await asyncio.gather(*(kill_at(step, site, client) for step in Step))
    return dict(zip(Step, outcomes, strict=True))


async def kill_at(step: Step, site: Site, client: httpx2.AsyncClient) -> Outcome:
    second, third = site.gateways
    async with caught_at(step, site, client) as caught:
        await caught.gateway.kill()
        killed_at = time.monotonic()
        with pytest.raises(httpx2.TransportError):
            await caught.response
        first = await second.ask_until_answered(client, caught.key, caught.photo, LEASE_SECONDS + SLACK_SECONDS)
        seconds = time.monotonic() - killed_at
        again = await third.ask(client, caught.key, caught.photo)
        return Outcome(first, again, seconds, (await site.postgres.rows())[caught.key])


@pytest.mark.parametrize("step", Step)
def test_the_retry_gives_one_answer_and_it_is_the_one_that_is_stored(outcomes: dict[Step, Outcome], step: Step) -> None:
    outcome = outcomes[step]
    assert outcome.first.status_code == httpx2.codes.OK
    assert outcome.row["status"] == "completed"
    assert outcome.row["answer"].encode() == outcome.first.content == outcome.again.content
    assert outcome.again.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("step", Step)
def test_the_retry_is_answered_when_the_lease_ends(outcomes: dict[Step, Outcome], step: Step) -> None:
    assert outcomes[step].seconds < LEASE_SECONDS + SLACK_SECONDS


@pytest.mark.parametrize("step", Step)
def test_only_an_answer_that_was_stored_is_replayed(outcomes: dict[Step, Outcome], step: Step) -> None:
    assert ("idempotency-replayed" in outcomes[step].first.headers) == (step is Step.AFTER_COMPLETION)


async def test_one_that_stops_past_its_lease_and_wakes_up_does_not_overwrite_the_answer_of_another(
    two_gateways: Site, client: httpx2.AsyncClient
) -> None:
    steps = (Step.ANSWERED, Step.BEFORE_COMPLETION)
    await asyncio.gather(*(wake_up_too_late(step, two_gateways, client) for step in steps))


async def wake_up_too_late(step: Step, site: Site, client: httpx2.AsyncClient) -> None:
    rescuer = site.gateways[0]
    async with caught_at(step, site, client) as caught:
        caught.gateway.send(signal.SIGSTOP)
        taken_over = await rescuer.ask_until_answered(client, caught.key, caught.photo, LEASE_SECONDS + SLACK_SECONDS)
        assert taken_over.status_code == httpx2.codes.OK
        replies = caught.relay.replies
        caught.trap.release()
        while caught.relay.replies == replies:  # noqa: ASYNC110  (what it had sent is now with the other side)
            await asyncio.sleep(0.05)
        caught.gateway.send(signal.SIGCONT)
        late = await caught.response
        again = await rescuer.ask(client, caught.key, caught.photo)
        row = (await site.postgres.rows())[caught.key]
    assert row["answer"].encode() == taken_over.content == again.content
    assert late.content == taken_over.content or late.status_code in {409, 503, 504}
