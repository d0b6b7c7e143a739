"""Requests and answers as the OpenAPI document shows them."""

from __future__ import annotations

import json
from typing import Any

from gateway import errors
from gateway.envelope import failure_body

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


def by_status(*failures: errors.GatewayError) -> dict[str, errors.GatewayError]:
    return {str(failure.status): failure for failure in failures}


# Of each status one failure that has it.
FAILURES = by_status(
    errors.MalformedRequestError("request: Invalid JSON: EOF while parsing an object"),
    errors.TokenExpiredError("The token has expired."),
    errors.RoleForbiddenError("Only the role authenticated may ask."),
    errors.NotFoundError("There is nothing at this path."),
    errors.MethodNotAllowedError("This path does not know the method."),
    errors.BodyTooLargeError("The body may have at most 65536 bytes."),
    errors.UnsupportedBodyError("The body must be application/json."),
    errors.InvalidRequestError("events: List should have at least 1 item after validation, not 0"),
    errors.RateLimitedError("Too many of these at once. Try again."),
    errors.ServerError("Something went wrong here. The request id names the log entry."),
    errors.KeysUnavailableError("The issuer's keys cannot be fetched."),
    errors.DeadlineError("The body did not arrive in time."),
)
NO_BODY = by_status(
    errors.InvalidHeaderError("There must be one Host header, with a host name and perhaps a port."),
    errors.UnauthenticatedFloodError("Too many requests come without a valid token."),
)
PROBE = NO_BODY | by_status(errors.StoppingError("This server is stopping. Try again."))
OF_PATHS = {
    "/v1/ai-inference": by_status(
        errors.ObjectForbiddenError("The photo belongs to another user."),
        errors.RequestInFlightError("The same request is being answered."),
        errors.ImageTooLargeError("A photo may have at most 20971520 bytes."),
        errors.UnsupportedBodyError("The body must be application/json or multipart/form-data."),
        errors.InvalidRequestError("topK: Input should be less than or equal to 100"),
        errors.TritonUnavailableError("The model cannot be reached. Try again."),
        errors.DeadlineError("The deadline passed before there was an answer."),
    ),
    "/v1/uploads": by_status(
        errors.BodyTooLargeError("The body may have at most 4096 bytes."),
        errors.InvalidRequestError("bytes: Input should be less than or equal to 20971520"),
        errors.StorageUnavailableError("The storage of photos does not answer. Try again."),
    ),
    "/v1/storage/{user_id}/{name}": NO_BODY
    | by_status(
        errors.UrlExpiredError("The URL has expired. Ask for a new one."),
        errors.NotFoundError("Nothing was uploaded under this URL."),
        errors.BodyTooLargeError("The photo was announced with 482113 bytes, and has more."),
        errors.UnsupportedBodyError("The Content-Type must be image/jpeg."),
        errors.ImageHashMismatchError("The photo is not the one whose sha256 was announced."),
        errors.StorageUnavailableError("The storage of photos does not answer. Try again."),
    ),
    "/v1/model": NO_BODY
    | by_status(
        errors.NotFoundError("This gateway was not told where the model repository lies (FROND_MODEL_REPOSITORY).")
    ),
    "/v1/status": NO_BODY,
    "/health/live": PROBE,
    "/health/serving": PROBE,
    "/health/ready": PROBE,
}


def failure(path: str, status: str) -> Any:
    """The envelope of a failure with this HTTP status at this path; None: there is none to show."""
    error = (FAILURES | OF_PATHS.get(path, {})).get(status)
    return json.loads(failure_body(REQUEST_ID, error)) if error is not None else None
