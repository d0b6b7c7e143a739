"""A stack in another shape: so many instances of the models, gateways, and cores for all of them."""

from __future__ import annotations

import json
import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2

from loadtest.overhead import gateway
from loadtest.scale import spending
from stack.model_repository import active_model
from stack.triton import CONTROL_HEADER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stack.paths import StatePaths
    from stack.state import State

LOAD_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Shape:
    """Of the servers. The load generator has the cores that are left over, or shares theirs where none is."""

    diagnose: int = 2
    classifier: int = 2
    gateways: int = 1
    cores: int = 2

    @property
    def title(self) -> str:
        return f"{self.diagnose} | {self.classifier} | {self.gateways} | {self.cores}"


@asynccontextmanager
async def shaped(paths: StatePaths, state: State, shape: Shape) -> AsyncIterator[list[str]]:
    """Addresses of the gateways. Triton loads its models anew with another count, as an operator would."""
    await set_instances(state, "diagnose", shape.diagnose)
    await set_instances(state, active_model(paths.model_repository)[1], shape.classifier)
    async with AsyncExitStack() as stack:
        addresses = [
            await stack.enter_async_context(gateway(paths, state, state.database_url)) for _ in range(shape.gateways)
        ]
        everything = sorted(os.sched_getaffinity(0))
        server_cores = set(everything[: shape.cores])
        found = spending.members(state.supervisor_pid)  # further sessions of PostgreSQL and threads inherit their cores
        spending.pin(found, server_cores, set(everything) - server_cores or server_cores)
        try:
            yield addresses
        finally:
            spending.pin(spending.members(state.supervisor_pid), set(everything), set(everything))


async def set_instances(state: State, model: str, count: int) -> None:
    (key,) = state.triton_control.values()
    async with httpx2.AsyncClient(
        base_url=f"http://{state.triton_http}/v2/", headers={CONTROL_HEADER: key}, timeout=LOAD_SECONDS, trust_env=False
    ) as client:
        configuration = (await client.get(f"models/{model}/config")).raise_for_status().json()
        if configuration["instance_group"][0]["count"] == count:
            return
        configuration["instance_group"][0]["count"] = count
        loaded = await client.post(
            f"repository/models/{model}/load", json={"parameters": {"config": json.dumps(configuration)}}
        )
        if loaded.is_error:
            raise RuntimeError(f"{model} with {count} instances: {loaded.text}")
