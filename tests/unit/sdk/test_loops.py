"""An asynchronous client and the event loops that it is used by, one after the other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from frond.errors import CloudValidationError
from frond.reports import Reporting
from tests.unit.sdk.services import Service, order, refusal

if TYPE_CHECKING:
    from frond.async_client import AsyncCloudInferenceClient
    from frond.options import CloudPrediction


async def ask(client: AsyncCloudInferenceClient) -> CloudPrediction:
    return await client.predict(order())


def test_a_loop_that_was_closed_is_followed_by_another() -> None:
    client = Service().client(reporting=Reporting(sample_ratio=1.0))
    assert [asyncio.run(ask(client)).attempts for _ in range(3)] == [1, 1, 1]
    asyncio.run(client.aclose())


def test_a_token_is_refreshed_by_calls_of_either_loop() -> None:
    async def refresh() -> str:
        await asyncio.sleep(0.01)
        return "new"

    async def together(client: AsyncCloudInferenceClient) -> None:
        await asyncio.gather(*(client.predict(order()) for _ in range(3)), return_exceptions=True)

    client = Service([refusal(401, "auth", "token_expired")]).client("old", refresh)
    asyncio.run(together(client))
    with pytest.raises(Exception, match="token_expired"):
        asyncio.run(ask(client))
    asyncio.run(together(client))


def test_a_loop_that_is_still_open_is_not_taken_from() -> None:
    client = Service().client()
    with asyncio.Runner() as first:
        first.run(ask(client))
        with asyncio.Runner() as second, pytest.raises(CloudValidationError, match="event loop") as caught:
            second.run(ask(client))
        assert first.run(ask(client)).attempts == 1
        first.run(client.aclose())
    assert caught.value.code == "client_in_use"


def test_a_client_that_is_closed_by_another_loop_stays_closed() -> None:
    client = Service().client()
    asyncio.run(ask(client))
    asyncio.run(client.aclose())
    with pytest.raises(CloudValidationError) as caught:
        asyncio.run(ask(client))
    assert caught.value.code == "client_closed"
