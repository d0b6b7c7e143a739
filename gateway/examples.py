"""Requests and answers as the OpenAPI document shows them."""

from __future__ import annotations

from typing import Any

SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
REQUEST_ID = "5b8a1f6e-6f0f-4c8e-9d55-2f2f0f3f9a11"
PREDICTION = {
    "label": "Tomato___Late_blight",
    "crop": "Tomato",
    "condition": "Late blight",
    "healthy": False,
    "confidence": 0.93,
}
UPLOAD_REQUEST = {"sha256": SHA256, "contentType": "image/jpeg", "bytes": 482113}
DIAGNOSIS_REQUEST = {
    "assessmentId": "assessment-456",
    "plantContext": {"id": "plant-123", "species": "Solanum lycopersicum"},
    "images": [{"url": "https://photos.example/signed", **UPLOAD_REQUEST}],
    "client": {"appVersion": "2.4.1", "platform": "ios", "fallbackReason": "device_timeout"},
    "modelVersion": None,
    "topK": 5,
}
DIAGNOSIS_RESPONSE = {
    "success": True,
    "requestId": REQUEST_ID,
    "result": {
        "predictions": [PREDICTION],
        "abstained": False,
        "abstainReason": None,
        "images": [
            {"sha256": SHA256, "predictions": [PREDICTION], "abstained": False, "abstainReason": None, "error": None}
        ],
        "model": {"name": "classifier", "version": "1", "temperature": 1.31, "calibrationError": 0.011},
        "degraded": False,
        "timingMs": {"queue": 1.2, "decode": 6.0, "infer": 9.1, "total": 21.4},
    },
    "error": None,
}
TELEMETRY_BATCH = {
    "events": [
        {"event": "cloud_inference_success", "at": "2026-11-23T09:30:00Z", "durationMs": 412.0},
        {
            "event": "cloud_inference_failure",
            "at": "2026-11-23T09:31:00Z",
            "durationMs": 1003.0,
            "category": "network",
            "code": "connection_lost",
        },
    ]
}
# Of each status one code that has it, with its category and a message.
FAILURES = {
    "400": ("validation", "request_malformed", "request: Invalid JSON: EOF while parsing an object"),
    "401": ("auth", "token_expired", "The token has expired."),
    "403": ("auth", "object_forbidden", "The photo is not yours."),
    "409": ("server", "request_in_flight", "The same request is being answered. Try again."),
    "413": ("validation", "image_too_large", "A photo may have at most 20971520 bytes."),
    "415": ("validation", "content_type_unsupported", "The body must be application/json or multipart/form-data."),
    "422": ("validation", "request_invalid", "topK: Input should be less than or equal to 100"),
    "429": ("server", "rate_limited", "You ask too often. Try again."),
    "500": ("server", "internal_error", "Something went wrong here. The request id names the log entry."),
    "503": ("server", "triton_unavailable", "The model cannot be reached. Try again."),
    "504": ("timeout", "deadline_exceeded", "The deadline passed before there was an answer."),
}


def failure(status: str) -> dict[str, Any]:
    """The envelope of a failure with this HTTP status."""
    category, code, message = FAILURES[status]
    is_retryable = category == "server"
    error = {
        "category": category,
        "code": code,
        "message": message,
        "retryable": is_retryable,
        "retryAfterMs": 1000 if is_retryable else None,
    }
    return {"success": False, "requestId": REQUEST_ID, "result": None, "error": error}
