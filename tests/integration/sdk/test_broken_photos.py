"""A photo that cannot be read fails alone, whether the SDK or the service finds it out."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from frond.errors import CloudValidationError
from frond.policy.photos import PhotoPolicy
from tests.gateways import png
from tests.integration.sdk.conftest import Service, order
from tests.unit.preprocess.photos import draw_photo, encode

if TYPE_CHECKING:
    from frond.options import Delivery

GOOD, OTHER = png(1), png(2)
CUT_OFF = encode(draw_photo(300, 200), "JPEG")[:2000]
UNKNOWN = encode(draw_photo(300, 200), "TIFF")
AS_THEY_ARE = PhotoPolicy(removes_metadata=False)


@pytest.mark.parametrize("delivery", ["multipart", "signed_urls"])
@pytest.mark.parametrize("policy", [PhotoPolicy(), AS_THEY_ARE], ids=["found by the SDK", "found by the service"])
async def test_the_others_are_diagnosed_and_it_is_reported_at_its_place(
    service: Service, policy: PhotoPolicy, delivery: Delivery
) -> None:
    async with service.client(photos=policy) as client:
        prediction = await client.predict(order(CUT_OFF, GOOD, UNKNOWN, OTHER, delivery=delivery))
    images = prediction.diagnosis.images
    assert [image.error and image.error.code for image in images] == [
        "image_truncated",
        None,
        "image_type_unsupported",
        None,
    ]
    assert {image.error.category for image in images if image.error} == {"validation"}
    assert images[0].sha256 == hashlib.sha256(CUT_OFF).hexdigest()
    assert [asked[0] for asked in service.diagnoser.asked] == [2]


@pytest.mark.parametrize("policy", [PhotoPolicy(), AS_THEY_ARE], ids=["found by the SDK", "found by the service"])
async def test_a_call_of_broken_photos_alone_fails_with_the_code_of_the_first(
    service: Service, policy: PhotoPolicy
) -> None:
    async with service.client(photos=policy) as client:
        with pytest.raises(CloudValidationError) as caught:
            await client.predict(order(CUT_OFF, UNKNOWN))
    assert (caught.value.code, caught.value.retryable) == ("image_truncated", False)
    assert not service.diagnoser.asked


async def test_what_the_sdk_finds_out_costs_no_request(service: Service) -> None:
    async with service.client() as client:
        with pytest.raises(CloudValidationError, match="Photo 0"):
            await client.predict(order(CUT_OFF))
    assert service.proxy.connections == 0


async def test_a_broken_photo_goes_beside_one_that_was_uploaded(service: Service) -> None:
    async with service.client() as client:
        uploaded = await client.upload_images([GOOD])
        images = (await client.predict(order(*uploaded, CUT_OFF))).diagnosis.images
    assert [image.error and image.error.code for image in images] == [None, "image_truncated"]


async def test_an_upload_of_a_broken_photo_says_so_before_anything_is_sent(service: Service) -> None:
    async with service.client() as client:
        with pytest.raises(CloudValidationError, match="Photo 1") as caught:
            await client.upload_images([GOOD, CUT_OFF])
    assert caught.value.code == "image_truncated"
    assert service.proxy.connections == 0
