"""What the cluster tells of itself: who asked whom, by the gateways' metrics, and which alerts fired."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster

METRICS_PORT = 9090
CALLS = re.compile(
    r'^frond_gateway_triton_calls_total\{address="([\d.]+):\d+",outcome="answered"\} (\S+)', re.MULTILINE
)


async def calls(cluster: Cluster) -> dict[tuple[str, str], float]:
    """Calls that were answered, for each gateway and each Triton that are there now."""
    found: dict[tuple[str, str], float] = {}
    async with httpx2.AsyncClient(trust_env=False) as client:
        for gateway in cluster.gateways.pods:
            text = (await client.get(f"http://{gateway.address}:{METRICS_PORT}/metrics")).text
            counts = {address: float(count) for address, count in CALLS.findall(text)}
            found |= {(gateway.name, triton.name): counts.get(triton.address, 0.0) for triton in cluster.tritons.pods}
    return found


async def fired(cluster: Cluster) -> set[str]:
    """The alerts that fired at some time."""
    query = 'count by (alertname) (max_over_time(ALERTS{alertstate="firing"}[1h]))'
    async with httpx2.AsyncClient(base_url=cluster.prometheus_url, trust_env=False) as client:
        content = (await client.get("/api/v1/query", params={"query": query})).json()
    assert content["status"] == "success", content
    return {series["metric"]["alertname"] for series in content["data"]["result"]}


async def scraped(cluster: Cluster) -> set[str]:
    """The addresses that Prometheus scrapes with success."""
    async with httpx2.AsyncClient(base_url=cluster.prometheus_url, trust_env=False) as client:
        content = (await client.get("/api/v1/query", params={"query": "up == 1"})).json()
    return {series["metric"]["instance"].partition(":")[0] for series in content["data"]["result"]}
