"""The bound on the bytes that one gateway holds for all its requests."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from gateway.errors import OverloadedError
from gateway.memory import Memory, Share
from tests.gateways import ALICE, BOB, Gateway, parts_with, png, serve, settings_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx2

    from tests.gateways import FakeDiagnoser, SigningKey
    from tests.integration.gateway.conftest import Database

MAX_HELD_BYTES = 100_000
LARGE, SMALL = png(1, metadata=bytes(60_000)), png(2)


@pytest.fixture
async def narrow(
    tmp_path: Path, key: SigningKey, shared_database: Database, diagnoser: FakeDiagnoser
) -> AsyncIterator[Gateway]:
    """A gateway with room for one large photo."""
    settings = settings_in(tmp_path, key, database_url=shared_database.gateway_url)
    settings = settings.model_copy(update={"max_held_bytes": MAX_HELD_BYTES})  # a request alone may have more
    async with serve(settings, parts_with(diagnoser)) as client:
        yield Gateway(client, key, settings)


@asynccontextmanager
async def busy(gateway: Gateway, diagnoser: FakeDiagnoser) -> AsyncIterator[asyncio.Task[httpx2.Response]]:
    """While Triton works on a large photo."""
    diagnoser.gate = asyncio.Event()
    diagnoser.waiting.clear()
    first = asyncio.create_task(gateway.diagnose(LARGE))
    await diagnoser.waiting.wait()
    yield first
    diagnoser.gate.set()
    assert (await first).status_code == 200


async def test_a_request_beyond_the_bound_is_refused_and_may_be_sent_again(
    narrow: Gateway, diagnoser: FakeDiagnoser
) -> None:
    key = str(uuid.uuid4())
    async with busy(narrow, diagnoser):
        refused = await narrow.diagnose(LARGE, key=key)
        error = refused.json()["error"]
        assert (refused.status_code, error["code"], error["retryable"]) == (503, "overloaded", True)
    assert (await narrow.diagnose(LARGE, key=key)).status_code == 200


async def test_a_small_request_still_finds_room(narrow: Gateway, diagnoser: FakeDiagnoser) -> None:
    async with busy(narrow, diagnoser):
        small = asyncio.create_task(narrow.diagnose(SMALL))
        await asyncio.sleep(0.1)
        assert len(diagnoser.asked) == 2
    assert (await small).status_code == 200


async def test_photos_by_url_that_need_not_be_fetched_take_no_room(narrow: Gateway, diagnoser: FakeDiagnoser) -> None:
    ticket, key = await narrow.upload(LARGE), str(uuid.uuid4())
    assert (await narrow.diagnose_urls((LARGE, ticket["downloadUrl"]), key=key)).status_code == 200
    async with busy(narrow, diagnoser):
        replayed = await narrow.diagnose_urls((LARGE, ticket["downloadUrl"]), key=key)
        assert (replayed.status_code, replayed.headers["Idempotency-Replayed"]) == (200, "true")
        foreign = await narrow.diagnose_urls((LARGE, narrow.signed_url(LARGE, BOB)))
        assert foreign.json()["error"]["code"] == "object_forbidden"


async def test_photos_by_url_count_before_they_are_fetched(narrow: Gateway, diagnoser: FakeDiagnoser) -> None:
    ticket = await narrow.upload(LARGE)
    async with busy(narrow, diagnoser):
        refused = await narrow.diagnose_urls((LARGE, ticket["downloadUrl"]))
        assert refused.json()["error"]["code"] == "overloaded"
    assert (await narrow.diagnose_urls((LARGE, ticket["downloadUrl"]))).status_code == 200


async def hang_up(gateway: Gateway, diagnoser: FakeDiagnoser) -> None:
    """As soon as Triton works on a large photo."""
    diagnoser.gate, diagnoser.was_cancelled = asyncio.Event(), False
    diagnoser.waiting.clear()
    request = asyncio.create_task(gateway.diagnose(LARGE))
    await diagnoser.waiting.wait()
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    while not diagnoser.was_cancelled:  # noqa: ASYNC110  (nothing announces it)
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)  # its key is released after that
    diagnoser.gate = None


async def test_whatever_a_request_ends_in_gives_its_share_back(narrow: Gateway, diagnoser: FakeDiagnoser) -> None:
    for _ in range(5):
        assert (await narrow.diagnose(LARGE)).status_code == 200
        assert (await narrow.diagnose(bytes(60_000))).status_code == 422
        await narrow.upload(LARGE)
        await hang_up(narrow, diagnoser)
    diagnoser.error = RuntimeError("a bug")
    for _ in range(5):
        assert (await narrow.diagnose(LARGE)).status_code == 500


async def test_a_photo_that_is_larger_than_its_url_says_is_not_there(gateway: Gateway) -> None:
    await gateway.upload(LARGE)
    claimed = (await gateway.ask_for_urls(LARGE, bytes=10)).json()["result"]["downloadUrl"]
    response = await gateway.client.get(claimed.removeprefix("http://photos.test"))
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
    refused = await gateway.diagnose_urls((LARGE, claimed), bytes=10)
    assert refused.json()["error"]["code"] == "image_size_mismatch"


def test_one_user_cannot_take_all() -> None:
    memory = Memory(20, max_user_bytes=10)
    with Share(memory, ALICE) as second, Share(memory, BOB) as others:
        with Share(memory, ALICE) as first:
            first.take(6)
            with pytest.raises(OverloadedError, match="of this user"):
                second.take(5)
            others.take(10)
        second.take(6)


def test_one_user_cannot_have_all_requests() -> None:
    memory = Memory(20, max_user_requests=2)
    with Share(memory, ALICE), Share(memory, BOB):
        with Share(memory, ALICE), pytest.raises(OverloadedError, match="At most 2 requests"):
            Share(memory, ALICE).__enter__()
        with Share(memory, ALICE):
            pass


def test_shares_add_up_and_end() -> None:
    memory = Memory(10)
    with Share(memory, BOB) as second:
        with Share(memory, ALICE) as first:
            first.take(6)
            second.take(4)
            with pytest.raises(OverloadedError):
                second.take(1)
        second.take(6)
        with pytest.raises(OverloadedError):
            second.take(1)
