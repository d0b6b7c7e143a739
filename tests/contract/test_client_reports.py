"""`POST /v1/telemetry`: what is taken, and what is refused before it is counted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from frond.types import MAX_TELEMETRY_EVENTS, TelemetryResponse
from gateway.telemetry.service import BURST

if TYPE_CHECKING:
    import httpx2

    from tests.gateways import Gateway

EVENT: dict[str, Any] = {"event": "cloud_inference_success", "at": "2026-11-23T09:30:00+01:00", "durationMs": 412}


async def report(gateway: Gateway, content: bytes, media_type: str = "application/json") -> httpx2.Response:
    headers = {"Authorization": f"Bearer {gateway.key.token()}", "Content-Type": media_type}
    return await gateway.client.post("/v1/telemetry", content=content, headers=headers)


def body(*events: dict[str, Any]) -> bytes:
    return json.dumps({"events": events}).encode()


async def test_a_batch_is_taken_with_how_many_events_it_had(gateway: Gateway) -> None:
    answer = await report(gateway, body(*[EVENT] * MAX_TELEMETRY_EVENTS))
    assert answer.status_code == 202
    response = TelemetryResponse.model_validate_json(answer.content)
    assert response.success
    assert response.result is not None
    assert response.result.taken == MAX_TELEMETRY_EVENTS


async def test_without_a_token_nothing_is_taken(gateway: Gateway) -> None:
    answer = await gateway.client.post("/v1/telemetry", content=body(EVENT))
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "token_missing"


@pytest.mark.parametrize(
    "content",
    [
        body(),
        body(*[EVENT] * (MAX_TELEMETRY_EVENTS + 1)),
        body(EVENT | {"event": "made_up"}),
        body(EVENT | {"at": "2026-11-23T09:30:00"}),
        body(EVENT | {"durationMs": -1}),
        body(EVENT | {"durationMs": "412"}),
        body(EVENT | {"category": "made_up"}),
        body(EVENT | {"latitude": 48.2}),
        body(EVENT | {"photo": "/9j/"}),
    ],
)
async def test_what_the_contract_does_not_have_is_refused_whole(gateway: Gateway, content: bytes) -> None:
    answer = await report(gateway, content)
    assert answer.status_code == 422
    assert TelemetryResponse.model_validate_json(answer.content).result is None


async def test_a_batch_of_more_than_64_kib_is_refused(gateway: Gateway) -> None:
    assert (await report(gateway, body(EVENT) + b" " * 65536)).status_code == 413


async def test_another_media_type_is_refused(gateway: Gateway) -> None:
    assert (await report(gateway, body(EVENT), "text/plain")).status_code == 415


async def test_after_the_burst_the_user_is_told_when_to_come_back(gateway: Gateway) -> None:
    for _ in range(BURST):
        assert (await report(gateway, body(EVENT))).status_code == 202
    answer = await report(gateway, body(EVENT))
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "rate_limited"
    assert int(answer.headers["retry-after"]) >= 1
