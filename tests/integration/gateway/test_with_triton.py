"""The gateway in front of a real Triton: photo to diagnosis, and what only the model can refuse."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from frond.types import DiagnosisResponse
from tests.gateways import PATH, Gateway, form, png, serve, settings_in, sha256

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conftest import RunningTriton
    from tests.gateways import SigningKey
    from tests.integration.gateway.conftest import Database


@pytest.fixture
async def gateway(
    tmp_path: Path, key: SigningKey, shared_database: Database, triton: RunningTriton
) -> AsyncIterator[Gateway]:
    """All parts are real."""
    settings = settings_in(tmp_path, key, database_url=shared_database.gateway_url, triton_grpc=triton.grpc)
    async with serve(settings) as client:
        yield Gateway(client, key, settings)


def jpeg(side: int = 300) -> bytes:
    """A photo with structure: an empty one compresses to nothing that could be cut off."""
    buffer = io.BytesIO()
    Image.effect_noise((side, side), 50).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


async def test_a_photo_is_diagnosed(gateway: Gateway) -> None:
    photo = jpeg()
    response = await gateway.diagnose(photo, topK=3)
    assert response.status_code == 200
    result = DiagnosisResponse.model_validate_json(response.content).result
    assert result is not None
    assert len(result.predictions) == 3
    assert result.images[0].sha256 == sha256(photo)
    assert result.model.name == "classifier"
    assert 0 < result.timing_ms.infer < result.timing_ms.total


async def test_an_uploaded_photo_gets_the_same_predictions_as_one_that_came_along(gateway: Gateway) -> None:
    photo = png(100)
    ticket = await gateway.upload(photo)
    uploaded = await gateway.diagnose_urls((photo, ticket["downloadUrl"]))
    sent = await gateway.diagnose(photo)
    assert uploaded.json()["result"]["predictions"] == sent.json()["result"]["predictions"]


async def test_of_three_photos_one_is_broken_in_its_pixels_and_fails_alone(gateway: Gateway) -> None:
    whole = jpeg()
    response = await gateway.diagnose(whole, whole[: len(whole) // 2], png(50), images=None)
    images = response.json()["result"]["images"]
    assert [image["error"] is None for image in images] == [True, False, True]
    assert images[1]["error"]["category"] == "validation"


async def test_a_document_behind_a_photo_is_refused_by_the_model_although_the_header_is_good(gateway: Gateway) -> None:
    photo = jpeg()
    page = photo + b"<script src='https://example.com/x.js'></script>"
    beside = await gateway.diagnose(photo, page, images=None)
    errors = [image["error"] for image in beside.json()["result"]["images"]]
    assert errors[0] is None
    assert errors[1]["code"] == "image_polyglot"
    alone = await gateway.diagnose(page)
    assert (alone.status_code, alone.json()["error"]["code"]) == (422, "image_polyglot")


async def test_a_version_that_is_not_served_is_refused_and_the_refusal_is_replayed(gateway: Gateway) -> None:
    headers = gateway.headers()
    answers = [
        await gateway.client.post(PATH, files=form(png(), modelVersion="none"), headers=headers) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].json()["error"]["code"] == "model_version_unknown"
    assert answers[1].headers["idempotency-replayed"] == "true"


async def test_a_budget_that_is_too_short_is_a_timeout_and_the_key_is_free(gateway: Gateway) -> None:
    headers = gateway.headers()
    late = await gateway.client.post(PATH, files=form(jpeg()), headers=headers | {"X-Frond-Deadline-Ms": "5"})
    assert (late.status_code, late.json()["error"]["category"]) == (504, "timeout")
    again = await gateway.client.post(PATH, files=form(png()), headers=headers)
    assert again.status_code == 200


async def test_it_is_ready_when_a_synthetic_inference_succeeds(gateway: Gateway) -> None:
    response = await gateway.client.get("/health/ready")
    assert response.status_code == 200
    assert response.json()["parts"]["triton"] == {"ready": True, "reason": None}
