"""The steps of a request at which a test stops a gateway exactly, by what it says to PostgreSQL and Triton."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import httpx2

from tests.gateways import png
from tests.relay import Relay, Trap, relay_to
from tests.server_process import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway_processes import GatewayServer, Site

DEADLINE_MS = 1500
LEASE_SECONDS = DEADLINE_MS / 1000 + 5  # the deadline and the margin for claiming and storing
REACHED_SECONDS = 30

READY_FOR_QUERY = b"Z\0\0\0\5I"  # how PostgreSQL ends its answer outside of a transaction
ANSWER = b'"predictions"'  # in Triton's answer, and then in the statement that stores it


class Step(StrEnum):
    """Where the gateway is when it stops."""

    CLAIMED = "claimed"
    SENT = "sent to Triton"
    ANSWERED = "answered by Triton"
    BEFORE_COMPLETION = "before completion"
    AFTER_COMPLETION = "after completion"

    def trap(self, key: uuid.UUID) -> Trap:
        match self:
            case Step.CLAIMED:
                return Trap(key.bytes, READY_FOR_QUERY)
            case Step.SENT:
                return Trap(key.hex.encode(), b"")
            case Step.ANSWERED:
                return Trap(key.hex.encode(), ANSWER)
            case Step.BEFORE_COMPLETION:
                return Trap(ANSWER, None)
            case Step.AFTER_COMPLETION:
                return Trap(ANSWER, READY_FOR_QUERY)


def photo_for(key: uuid.UUID) -> bytes:
    """One by which the request to Triton can be told."""
    return png(metadata=key.hex.encode())


@dataclass(frozen=True)
class Caught:
    """A gateway in the middle of a request; `response` is what its client waits for."""

    gateway: GatewayServer
    key: uuid.UUID
    photo: bytes
    trap: Trap
    relay: Relay
    response: asyncio.Task[httpx2.Response]


@asynccontextmanager
async def caught_at(step: Step, site: Site, client: httpx2.AsyncClient) -> AsyncIterator[Caught]:
    """A gateway of the site's own kind, which talks through relays and has just come to that step."""
    (triton,) = site.tritons
    async with (
        relay_to(site.postgres.port) as database,
        relay_to(int(triton.addresses.grpc.rpartition(":")[2])) as model,
    ):
        database_url = site.postgres.gateway_url.replace(f":{site.postgres.port}/", f":{database.port}/")
        gateway = site.another_gateway(
            f"stopped-{step.name}-{uuid.uuid4().hex[:4]}",
            database_url=f"{database_url}?sslmode=disable",
            triton_grpc=(f"127.0.0.1:{model.port}",),
        )
        async with running(gateway):
            key = uuid.uuid4()
            photo = photo_for(key)
            warm = await gateway.ask(client, uuid.uuid4(), png())  # statements are prepared, connections are open
            assert warm.status_code == httpx2.codes.OK, warm.text
            relay = model if step in {Step.SENT, Step.ANSWERED} else database
            relay.trap = trap = step.trap(key)
            response = asyncio.create_task(gateway.ask(client, key, photo, deadline_ms=DEADLINE_MS))
            async with asyncio.timeout(REACHED_SECONDS):
                await trap.sprung.wait()
            yield Caught(gateway, key, photo, trap, relay, response)
            await asyncio.gather(response, return_exceptions=True)
