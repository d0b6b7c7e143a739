"""The closed loop of `make scale`: a gateway that refuses a request ends no measurement."""

from __future__ import annotations

import asyncio
import os

import pytest

from loadtest.scale.load import OverloadedError, closed


class Server:
    """Answers the first request, refuses the second, and answers all others."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self) -> None:
        self.asked += 1
        await asyncio.sleep(0.01)
        if self.asked == 2:
            raise OverloadedError


async def test_a_refused_request_is_counted_and_the_caller_asks_again() -> None:
    server = Server()
    seen = await closed(server.ask, os.getpid(), callers=1, seconds=0.5)
    assert len(seen.latencies) >= 5
    assert seen.refused == pytest.approx(1 / (server.asked - 1))  # the first one warms up


async def test_another_failure_ends_it() -> None:
    async def ask() -> None:
        raise RuntimeError("500")

    with pytest.raises(RuntimeError, match="500"):
        await closed(ask, os.getpid(), callers=1, seconds=0.1)
