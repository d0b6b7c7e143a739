"""A relay that counts how often a client of PostgreSQL waits for the server, and can make it wait for ever."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadtest import round_trips

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager


@dataclass
class Stalling(round_trips.RoundTrips):
    """While it is stalled nothing goes on."""

    is_stalled: bool = False
    stalls_at: bytes | None = None  # a word of a message, which is the first that gets no answer

    async def passing(self, header: bytes, content: bytes) -> None:
        await super().passing(header, content)
        self.is_stalled |= self.stalls_at is not None and self.stalls_at in content
        while self.is_stalled:  # noqa: ASYNC110  (a broken network tells nobody)
            await asyncio.sleep(0.05)


def counted(url: str) -> AbstractAsyncContextManager[Stalling]:
    return round_trips.counted(url, Stalling())
