"""Every metric that an autoscaler names is exported by a running gateway and a running Triton."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import httpx2

from stack.ports import free_ports
from tests.deploy.manifests import OVERLAYS, of_kind, render
from tests.deploy.metrics import missing, samples
from tests.gateway_processes import site
from tests.gateways import png

if TYPE_CHECKING:
    from pathlib import Path


async def test_every_metric_that_scales_something_is_exported(tmp_path: Path) -> None:
    triggers = [
        trigger
        for overlay in OVERLAYS
        for scaled in of_kind(render(overlay), "ScaledObject")
        for trigger in scaled["spec"]["triggers"]
    ]
    queries = {trigger["metadata"]["query"] for trigger in triggers if trigger["type"] == "prometheus"}
    assert queries
    (metrics_port,) = free_ports(1)
    async with (
        site(tmp_path, gateways=1, metrics_port=metrics_port) as parts,
        httpx2.AsyncClient(trust_env=False) as client,
    ):
        answers = await asyncio.gather(
            *(parts.gateways[0].ask(client, uuid.uuid4(), png(shade, side=64)) for shade in range(4))
        )
        assert {answer.status_code for answer in answers} == {200}
        addresses = (f"127.0.0.1:{metrics_port}", parts.tritons[0].addresses.metrics)
        texts = [(await client.get(f"http://{address}/metrics")).text for address in addresses]
    exported = samples(*texts)
    assert {query: found for query in queries if (found := missing(query, exported))} == {}
