"""Which address is asked: the one with the least in flight that is well, in turns, and another one when it refuses."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from gateway.diagnoses.protocols import ModelAnswer
from gateway.errors import ModelVersionUnavailableError, OverloadedError, TritonUnavailableError
from gateway.inference.codec import Inquiry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence

    from gateway.deadline import Deadline
    from gateway.inference.addresses import Addresses
    from gateway.inference.calls import Call
    from gateway.inference.endpoint import Endpoint

logger = logging.getLogger(__name__)

RESOLVE_EVERY_SECONDS = 3.0
MIN_RETRY_AFTER_SECONDS, MAX_RETRY_AFTER_SECONDS = 0.1, 5.0

# The call did not reach a model that could answer it: another address may.
UNSERVED = (TritonUnavailableError, ModelVersionUnavailableError)


class Balancer:
    """Asks the endpoints of the moment."""

    def __init__(self, open_endpoint: Callable[[str], Endpoint]) -> None:
        self._open_endpoint = open_endpoint
        self._closing: set[asyncio.Task[None]] = set()
        self.endpoints: dict[str, Endpoint] = {}

    def admit(self, version: str | None, deadline: Deadline) -> None:  # noqa: ARG002  (any release is served by all)
        """Raises `TritonUnavailableError` or `OverloadedError` if a call made now would not be answered in time."""
        self._choose(deadline.remaining(), ())

    async def diagnose(
        self, photos: Sequence[bytes], top_k: int, version: str | None, request_id: str, deadline: Deadline
    ) -> ModelAnswer:
        began = time.monotonic()
        content = await self.ask(Inquiry(photos, top_k, version, request_id), deadline)
        return ModelAnswer(content, time.monotonic() - began)

    async def ask(self, call: Call, deadline: Deadline) -> bytes:
        """The decoded answer. Each address at most once, within the one deadline."""
        tried: list[Endpoint] = []
        while True:
            endpoint = self._choose(deadline.remaining(), tried)
            tried.append(endpoint)
            try:
                return await endpoint.ask(call, deadline)
            except UNSERVED as error:
                if not self._untried(tried):
                    raise
                logger.info("asking another Triton than %s: %s", endpoint.address, error.code)

    def update(self, addresses: Collection[str]) -> None:
        """Open what is new and close what is gone."""
        for address in set(addresses) - set(self.endpoints):
            self.endpoints[address] = self._open_endpoint(address)
        for address in set(self.endpoints) - set(addresses):
            task = asyncio.create_task(self.endpoints.pop(address).close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        self.update(())
        await asyncio.gather(*self._closing)

    def _choose(self, seconds: float, tried: Collection[Endpoint]) -> Endpoint:
        candidates = sorted(self._untried(tried), key=lambda endpoint: endpoint.load.rank)
        if not candidates:
            raise TritonUnavailableError("The model cannot be reached. Try again.")
        waits = [endpoint.load.expected_seconds() for endpoint in candidates]
        for endpoint, expected in zip(candidates, waits, strict=True):
            if expected <= seconds:
                return endpoint
        retry_after = max(MIN_RETRY_AFTER_SECONDS, min(min(waits) - seconds, MAX_RETRY_AFTER_SECONDS))
        raise OverloadedError("The model has too much to do. Try again.", int(retry_after * 1000))

    def _untried(self, tried: Collection[Endpoint]) -> list[Endpoint]:
        return [endpoint for endpoint in self.endpoints.values() if endpoint.is_closed and endpoint not in tried]


@asynccontextmanager
async def open_balancer(addresses: Addresses, open_endpoint: Callable[[str], Endpoint]) -> AsyncIterator[Balancer]:
    """Names are resolved once before, and again while it is open."""
    balancer = Balancer(open_endpoint)
    balancer.update(await addresses.look_up())
    task = asyncio.create_task(follow(addresses.look_up, balancer))
    try:
        yield balancer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await balancer.close()


async def follow(look_up: Callable[[], Awaitable[Collection[str]]], balancer: Balancer) -> None:
    while True:
        await asyncio.sleep(RESOLVE_EVERY_SECONDS)
        try:
            balancer.update(await look_up())
        except Exception:  # the task must not end: an address that is gone would be asked for ever
            logger.exception("the addresses of Triton were not looked up")
