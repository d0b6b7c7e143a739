"""The closed loop of `make bench`: who asks, and what counts."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from loadtest.bench.load import Load, closed_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from loadtest.bench.load import Ask


class Server:
    """Answers after `seconds`; knows how many asked at once and how often it was asked."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.asked = self.asking = self.most_asking = self.connections = 0

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Ask]:
        self.connections += 1
        yield self.answer
        self.connections -= 1

    async def answer(self) -> bytes:
        self.asked += 1
        self.asking += 1
        self.most_asking = max(self.most_asking, self.asking)
        await asyncio.sleep(self.seconds)
        self.asking -= 1
        return b""


async def test_as_many_clients_ask_at_once_as_the_concurrency_says_each_on_its_connection() -> None:
    server = Server(0.01)
    await closed_loop(server.connect, Load(concurrency=3, seconds=0.2, warm_up_seconds=0))
    assert server.most_asking == 3
    assert (server.asking, server.connections) == (0, 0)


async def test_what_is_answered_during_the_warm_up_does_not_count() -> None:
    server = Server(0.01)
    taken = await closed_loop(server.connect, Load(concurrency=1, seconds=0.1, warm_up_seconds=0.3))
    assert 0 < len(taken) < server.asked / 2


async def test_an_answer_after_the_end_does_not_count_but_is_waited_for() -> None:
    server = Server(0.3)
    assert await closed_loop(server.connect, Load(concurrency=2, seconds=0.1, warm_up_seconds=0)) == []
    assert (server.asked, server.asking) == (2, 0)


async def test_each_request_counts_with_the_time_it_took() -> None:
    taken = await closed_loop(Server(0.05).connect, Load(concurrency=2, seconds=0.3, warm_up_seconds=0))
    assert taken
    assert min(taken) >= 0.045


async def test_a_request_that_fails_ends_the_measurement() -> None:
    @asynccontextmanager
    async def connect() -> AsyncIterator[Ask]:
        async def ask() -> bytes:
            raise ConnectionError("refused")

        yield ask

    with pytest.raises(ConnectionError, match="refused"):
        await closed_loop(connect, Load(concurrency=2, seconds=0.1, warm_up_seconds=0))
