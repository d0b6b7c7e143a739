"""Envelopes as the service writes them."""

from __future__ import annotations

from typing import Any

from tests.gateways import photo_answer, sha256


def diagnosis(*photos: bytes, **changes: Any) -> dict[str, Any]:
    answer = photo_answer(photos)
    images = [{"sha256": sha256(photo), **image} for photo, image in zip(photos, answer["images"], strict=True)]
    timing = {"queue": 0.0, "decode": 2.0, "infer": 6.0, "total": 9.0}
    return answer | {"images": images, "timingMs": timing} | changes


def envelope(*photos: bytes) -> dict[str, Any]:
    return {"success": True, "requestId": "r-1", "result": diagnosis(*photos), "error": None}


def failure(**changes: Any) -> dict[str, Any]:
    error = {"category": "server", "code": "some_code", "message": "No.", "retryable": False, "retryAfterMs": None}
    return {"success": False, "requestId": "r-1", "result": None, "error": error | changes}
