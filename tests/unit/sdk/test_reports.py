"""Events on their way to the service's metrics."""

from __future__ import annotations

import asyncio

from frond.reports import Reporting
from frond.telemetry import Telemetry
from frond.types import TelemetryBatch, TelemetryKind
from tests.unit.sdk.services import Service, order

ALL = Reporting(sample_ratio=1.0, interval_seconds=3600)


async def test_events_are_sent_at_the_latest_when_the_client_is_closed() -> None:
    service = Service()
    async with service.client(reporting=ALL) as client:
        await client.predict(order())
        assert not service.telemetry
    batch = TelemetryBatch.model_validate({"events": service.telemetry})
    assert [event.event for event in batch.events] == [TelemetryKind.CLOUD_INFERENCE_SUCCESS]


async def test_events_are_sent_from_time_to_time() -> None:
    service = Service()
    async with service.client(reporting=Reporting(sample_ratio=1.0, interval_seconds=0.01)) as client:
        await client.predict(order())
        async with asyncio.timeout(10):
            await service.reported.wait()
    assert len(service.telemetry) == 1


async def test_many_events_go_in_batches_of_a_hundred() -> None:
    service = Service()
    telemetry = Telemetry()
    async with service.client(reporting=ALL, telemetry=telemetry):
        for _ in range(250):
            telemetry.log_idempotency_hit(0.1)
    assert len(service.telemetry) == 250


async def test_without_a_network_the_newest_are_kept_and_sent_later() -> None:
    service = Service(telemetry_status=503)
    telemetry = Telemetry()
    reporting = Reporting(sample_ratio=1.0, interval_seconds=3600, max_queued=3)
    async with service.client(reporting=reporting, telemetry=telemetry) as client:
        for seconds in (1, 2, 3, 4):
            telemetry.log_idempotency_hit(seconds)
        await client.reports.flush()
        assert len(client.reports) == 3
        service.telemetry_status = 202
        telemetry.log_idempotency_hit(5)
    assert [event["durationMs"] for event in service.telemetry] == [3000, 4000, 5000]


async def test_what_the_service_refuses_for_good_is_let_go() -> None:
    service = Service(telemetry_status=404)
    telemetry = Telemetry()
    async with service.client(reporting=ALL, telemetry=telemetry) as client:
        telemetry.log_idempotency_hit(1)
        await client.reports.flush()
        assert len(client.reports) == 0


async def test_a_share_of_the_events_is_sent() -> None:
    service = Service()
    telemetry = Telemetry()
    draws = iter([0.1, 0.9, 0.3, 0.5])
    reporting = Reporting(sample_ratio=0.5, interval_seconds=3600, draw=lambda: next(draws))
    async with service.client(reporting=reporting, telemetry=telemetry):
        for seconds in (1, 2, 3, 4):
            telemetry.log_idempotency_hit(seconds)
    assert [event["durationMs"] for event in service.telemetry] == [1000, 3000]


async def test_closing_waits_half_a_second_at_most_and_leaves_nothing_running() -> None:
    service = Service()
    telemetry = Telemetry()

    async def hang() -> str:
        await asyncio.sleep(30)
        return ""

    client = service.client(hang, reporting=ALL, telemetry=telemetry)
    telemetry.log_idempotency_hit(1)
    async with asyncio.timeout(5):
        await client.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}
