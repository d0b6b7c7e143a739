"""What the client reports is what the gateway takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frond.errors import CloudServerError, DeviceTimeoutError
from frond.exchange import Exchange, Wire
from frond.policy.request import JSON, TELEMETRY_PATH
from frond.reports import Reporting
from frond.telemetry import Telemetry
from frond.types import FallbackReason, TelemetryBatch, TelemetryEvent, TelemetryResponse
from tests.gateways import png
from tests.integration.sdk.conftest import order

if TYPE_CHECKING:
    from tests.integration.sdk.conftest import Service


async def test_the_gateway_takes_every_kind_of_event(service: Service) -> None:
    events: list[TelemetryEvent] = []
    telemetry = Telemetry(events.append)
    telemetry.log_cloud_inference_success(0.5)
    telemetry.log_cloud_inference_failure(0.5, CloudServerError("out", code="overloaded"))
    telemetry.log_image_upload(0.5)
    telemetry.log_idempotency_hit(0.5)
    telemetry.log_device_inference_success(0.5)
    telemetry.log_device_inference_failure(0.5, DeviceTimeoutError())
    telemetry.log_fallback(FallbackReason.DEVICE_TIMEOUT, 0.5)
    body = TelemetryBatch(events=events).model_dump_json(by_alias=True, exclude_none=True).encode()
    headers = {"Authorization": f"Bearer {service.key.token()}", "Content-Type": JSON}
    async with Exchange(service.proxy.url, Wire()) as exchange:
        answer = await exchange.send("POST", TELEMETRY_PATH, headers, body)
    response = TelemetryResponse.model_validate_json(answer.content)
    assert response.result is not None, answer
    assert response.result.taken == len(events)


async def test_a_client_that_is_closed_has_nothing_left_to_report(service: Service) -> None:
    async with service.client(reporting=Reporting(sample_ratio=1.0, interval_seconds=3600)) as client:
        await client.predict(order(png()))
        assert len(client.reports) == 1
    assert len(client.reports) == 0
