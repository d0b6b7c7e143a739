"""The model's service as it is configured, opened and closed: a diagnoser, and what is wrong with its addresses."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from gateway.deadline import Deadline
from gateway.errors import GatewayError, TritonUnavailableError
from gateway.inference.addresses import Addresses
from gateway.inference.balancer import Balancer, open_balancer
from gateway.inference.breaker import State
from gateway.inference.degraded import DegradingDiagnoser
from gateway.inference.endpoint import PROBE_SECONDS, Endpoint
from gateway.inference.outcomes import Outcome
from gateway.inference.picture import green_png
from gateway.status.protocols import BreakerState, ServerCondition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.diagnoses.protocols import Diagnoser
    from gateway.metrics import Metrics
    from gateway.settings import Settings


BREAKER_STATES: dict[State, BreakerState] = {
    State.CLOSED: "closed",
    State.HALF_OPEN: "half_open",
    State.OPEN: "open",
}


class Inference:
    """`promoted` answers, or `fallback` if there is one."""

    def __init__(self, diagnoser: Diagnoser, promoted: Balancer, fallback: Balancer | None = None) -> None:
        self.diagnoser = diagnoser
        self.promoted = promoted
        self._fallback = fallback

    async def check(self) -> str | None:
        """What is wrong although requests are answered. Raises `TritonUnavailableError` if they are not."""
        faults = await faults_of(self.promoted)
        note = told(self.promoted, faults)
        if len(faults) < len(self.promoted.endpoints):
            return note
        if await self._is_degraded(faults):
            return f"the degraded release answers; {note}"
        raise TritonUnavailableError(note or "no address is known")

    async def conditions(self) -> list[ServerCondition]:
        """Of every Triton, the promoted release's first. Without addresses: who reads this need not know them."""
        balancers = dict.fromkeys(filter(None, (self.promoted, self._fallback)))
        endpoints = [endpoint for balancer in balancers for _, endpoint in sorted(balancer.endpoints.items())]
        versions = await asyncio.gather(*(endpoint.server_version() for endpoint in endpoints))
        return [
            ServerCondition(BREAKER_STATES[endpoint.breaker_state], endpoint.load.in_flight, version)
            for endpoint, version in zip(endpoints, versions, strict=True)
        ]

    async def _is_degraded(self, faults: dict[str, str]) -> bool:
        """Where both releases have the same Triton, only the promoted one is probed: the other one is asked now."""
        if self._fallback is self.promoted:
            return Outcome.UNSERVED in faults.values() and await self._answers()
        return self._fallback is not None and len(await faults_of(self._fallback)) < len(self._fallback.endpoints)

    async def _answers(self) -> bool:
        try:
            await self.diagnoser.diagnose([green_png()], 1, None, "readiness", Deadline.after(PROBE_SECONDS))
        except GatewayError:
            return False
        return True


def told(balancer: Balancer, faults: dict[str, str]) -> str | None:
    """By number, in the order of `conditions`: anyone may ask, and the addresses are in the log and the metrics."""
    numbered = enumerate(sorted(balancer.endpoints), 1)
    parts = (f"Triton {number}: {faults[address]}" for number, address in numbered if address in faults)
    return "; ".join(parts) or None


async def faults_of(balancer: Balancer) -> dict[str, str]:
    """Of the addresses that do not answer. Waits for those that are being tried for the first time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PROBE_SECONDS):
            await asyncio.gather(*(endpoint.tried.wait() for endpoint in balancer.endpoints.values()))
    return {address: endpoint.fault for address, endpoint in balancer.endpoints.items() if endpoint.fault is not None}


@asynccontextmanager
async def open_inference(settings: Settings, metrics: Metrics) -> AsyncIterator[Inference]:
    """No Triton has to be there yet."""
    async with AsyncExitStack() as stack:

        async def open_for(addresses: tuple[str, ...], probe_version: str | None) -> Balancer:
            open_endpoint = partial(Endpoint, probe_version=probe_version, metrics=metrics)
            return await stack.enter_async_context(open_balancer(Addresses(addresses), open_endpoint))

        promoted = await open_for(settings.triton_grpc, None)
        version = settings.degraded_version
        if version is None:
            yield Inference(promoted, promoted)
            return
        elsewhere = settings.degraded_triton_grpc
        fallback = await open_for(elsewhere, version) if elsewhere else promoted
        yield Inference(DegradingDiagnoser(promoted, fallback, version, metrics), promoted, fallback)
