"""The ways that photos travel, with the real gateway and the real storage."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from frond.errors import CloudValidationError
from frond.policy.delivery import MULTIPART_MAX_BYTES, goes_along
from frond.types import ClientInfo, TelemetryKind
from tests.gateways import png
from tests.integration.sdk.conftest import Service, order

if TYPE_CHECKING:
    from frond.options import Delivery

PHOTO, OTHER = png(1), png(2)


@pytest.mark.parametrize("delivery", ["auto", "multipart", "signed_urls"])
async def test_each_way_ends_in_a_diagnosis_of_all_photos(service: Service, delivery: Delivery, tmp_path: Path) -> None:
    (tmp_path / "leaf.png").write_bytes(PHOTO)
    async with service.client() as client:
        wanted = order(tmp_path / "leaf.png", io.BytesIO(OTHER), delivery=delivery, model_version="1", top_k=3)
        prediction = await client.predict(wanted)
    assert len(prediction.diagnosis.images) == 2
    assert service.diagnoser.asked == [(2, 3, "1")]
    assert ("upload" in prediction.stage_seconds) is (delivery == "signed_urls")


async def test_the_same_key_is_replayed_whichever_way_the_photos_come(service: Service) -> None:
    async with service.client() as client:
        first = await client.predict(order(PHOTO, delivery="multipart"))
        again = await client.predict(order(PHOTO, delivery="signed_urls", idempotency_key=first.idempotency_key))
        assert (first.replayed, again.replayed) == (False, True)
        with pytest.raises(CloudValidationError) as caught:
            await client.predict(order(OTHER, idempotency_key=first.idempotency_key))
    assert caught.value.code == "idempotency_key_reused"


async def test_photos_that_were_uploaded_before_go_with_others(service: Service) -> None:
    async with service.client() as client:
        uploaded = await client.upload_images([PHOTO])
        prediction = await client.predict(order(OTHER, uploaded[0]))
        hashes = [image.sha256 for image in prediction.diagnosis.images]
        assert hashes[1] == uploaded[0].sha256 != hashes[0]
        with pytest.raises(CloudValidationError):
            await client.predict(order(uploaded[0], delivery="multipart"))
        assert client.telemetry.percentiles(TelemetryKind.IMAGE_UPLOAD) is not None


async def test_the_clients_account_of_itself_arrives(service: Service) -> None:
    async with service.client() as client:
        info = ClientInfo(app_version="2.4.1", platform="ios", fallback_reason="device_timeout")
        assert await client.predict(order(PHOTO, client=info))


async def test_a_program_without_a_loop_gets_the_same(service: Service) -> None:
    def call() -> list[int]:
        with service.sync_client() as client:
            uploaded = client.upload_images([PHOTO, OTHER])
            return [len(client.predict(order(*photos)).diagnosis.images) for photos in (uploaded, [PHOTO])]

    assert await asyncio.to_thread(call) == [2, 1]


def test_large_photos_are_uploaded_first_and_others_sent_along() -> None:
    assert goes_along("auto", MULTIPART_MAX_BYTES, has_uploaded=False)
    assert not goes_along("auto", MULTIPART_MAX_BYTES + 1, has_uploaded=False)
    assert not goes_along("auto", 0, has_uploaded=True)
    with pytest.raises(CloudValidationError):
        goes_along("pigeon", 0, has_uploaded=False)  # type: ignore[arg-type]
