"""Which requests are the same one."""

from __future__ import annotations

from typing import Any

import pytest

from frond.types import DiagnosisRequest, MultipartDetails
from gateway.diagnoses.fingerprint import fingerprint, payload
from tests.gateways import DETAILS

HASHES = ["a" * 64, "b" * 64]


def of_multipart(hashes: list[str] = HASHES, **changes: Any) -> str:
    return fingerprint(payload(MultipartDetails.model_validate(DETAILS | changes), hashes))


def of_json(query: str, **changes: Any) -> str:
    images = [
        {"url": f"http://photos.test/{sha256}?{query}", "sha256": sha256, "contentType": "image/png", "bytes": 5}
        for sha256 in HASHES
    ]
    return fingerprint(payload(DiagnosisRequest.model_validate({**DETAILS, "images": images} | changes), HASHES))


def test_fresh_urls_make_no_other_request() -> None:
    assert of_json("signature=1") == of_json("signature=2")


def test_the_form_in_which_it_is_asked_makes_no_other_request() -> None:
    assert of_json("signature=1") == of_multipart()


def test_a_default_that_is_written_out_makes_no_other_request() -> None:
    assert of_multipart(topK=5, modelVersion=None) == of_multipart()


@pytest.mark.parametrize(
    "change",
    [
        {"assessmentId": "another"},
        {"topK": 4},
        {"modelVersion": "2"},
        {"plantContext": {"id": "plant-123"}},
        {"client": {"platform": "ios"}},
    ],
    ids=str,
)
def test_another_question_is_another_request(change: dict[str, Any]) -> None:
    assert of_multipart(**change) != of_multipart()


@pytest.mark.parametrize("hashes", [HASHES[:1], HASHES[::-1], HASHES + HASHES, ["c" * 64, "b" * 64]], ids=len)
def test_other_photos_or_another_order_are_another_request(hashes: list[str]) -> None:
    assert of_multipart(hashes) != of_multipart()
