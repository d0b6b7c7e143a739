"""The same request two hundred times at once, over two gateways."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

from tests.gateway_processes import TritonServer, count
from tests.gateways import png

if TYPE_CHECKING:
    import httpx2

    from tests.gateway_processes import Site

DUPLICATES = 200
PHOTOS = [png(shade, side=64) for shade in range(7)]


async def test_two_hundred_duplicates_get_one_answer_for_one_inference(
    two_gateways: Site, client: httpx2.AsyncClient
) -> None:
    (triton,) = two_gateways.tritons
    key, before = uuid.uuid4(), await assessments(triton)
    responses = await asyncio.gather(
        *(two_gateways.gateways[number % 2].ask(client, key, *PHOTOS) for number in range(DUPLICATES))
    )
    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1
    assert sum("idempotency-replayed" not in response.headers for response in responses) == 1
    await asyncio.sleep(1)  # Triton counts a request after it has answered
    assert await assessments(triton) - before == 1
    assert (await two_gateways.postgres.rows())[key]["answer"].encode() == responses[0].content


async def assessments(triton: TritonServer) -> float:
    """How many inferences of all our photos there were: the gateways' own probes, of one photo each, cancel out."""
    requests = await count(triton.addresses.metrics, "diagnose", "request_success")
    photos = await count(triton.addresses.metrics, "classifier", "count")
    return (photos - requests) / (len(PHOTOS) - 1)
