"""The OpenAPI document: the wire contract of `frond.types`, for routes that read their bodies themselves."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from frond.types import (
    MAX_IMAGES,
    DiagnosisRequest,
    DiagnosisResponse,
    MultipartDetails,
    TelemetryBatch,
    TelemetryResponse,
    UploadRequest,
    UploadResponse,
)
from gateway import examples

if TYPE_CHECKING:
    from fastapi import FastAPI
    from pydantic import BaseModel

MODELS: list[type[BaseModel]] = [
    DiagnosisRequest,
    MultipartDetails,
    DiagnosisResponse,
    UploadRequest,
    UploadResponse,
    TelemetryBatch,
    TelemetryResponse,
]
REF = "#/components/schemas/{model}"


def body(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


def of_user(operation: dict[str, Any]) -> dict[str, Any]:
    return {**operation, "security": [{"bearer": []}]}


def ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REF.format(model=model.__name__)}


def header(description: str, **schema: Any) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string", **schema}}


# The routes read these themselves, to answer a wrong one with the contract's error.
REQUEST_HEADERS: list[dict[str, Any]] = [
    {
        "name": "idempotency-key",
        "in": "header",
        "required": True,
        **header("A UUID; the same one for each try of a request.", format="uuid"),
    },
    {
        "name": "x-frond-deadline-ms",
        "in": "header",
        **header("Milliseconds that the caller has left.", pattern="^[0-9]{1,9}$"),
    },
]


MULTIPART_SCHEMA = {
    "type": "object",
    "required": ["request", "images"],
    "properties": {
        "request": ref(MultipartDetails),
        "images": {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_IMAGES,
            "items": {"type": "string", "contentMediaType": "application/octet-stream"},
        },
    },
}
DIAGNOSIS_CONTENT = {
    "application/json": {"schema": ref(DiagnosisRequest), "example": examples.DIAGNOSIS_REQUEST},
    "multipart/form-data": {
        "schema": MULTIPART_SCHEMA,
        "encoding": {"request": {"contentType": "application/json"}},
    },
}
DIAGNOSIS_BODY = of_user({**body(DIAGNOSIS_CONTENT), "parameters": REQUEST_HEADERS})
UPLOAD_BODY = of_user(
    body({"application/json": {"schema": ref(UploadRequest), "example": examples.UPLOAD_REQUEST}}),
)
TELEMETRY_BODY = of_user(
    body({"application/json": {"schema": ref(TelemetryBatch), "example": examples.TELEMETRY_BATCH}}),
)
IMAGE_BODY = body({"image/*": {"schema": {}}})
BEARER = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}

TRACING_HEADERS: list[dict[str, Any]] = [
    {"name": "x-request-id", "in": "header", **header("Comes back in the answer.")},
    {"name": "traceparent", "in": "header", **header("W3C Trace Context.")},
]
REQUEST_ID = {"X-Request-Id": header("The caller's, or one made here; names the lines of the log.")}
RETRY_AFTER = {"Retry-After": header("Seconds to wait before the same request is sent again.", pattern="^[0-9]+$")}
CHALLENGE = {"WWW-Authenticate": header("How to authenticate.")}
REPLAYED = {"Idempotency-Replayed": header("Given when the answer is the stored one.", const="true")}
RATE_LIMIT = {
    "RateLimit-Policy": header('Burst and the seconds until it is full again: `"user";q=30;w=30`.'),
    "RateLimit": header('What is left of the burst, and when it is full again: `"user";r=29;t=1`.'),
}
RETRYABLE = {"409", "429", "500", "503"}


def failures(envelope: type[BaseModel], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """Each of them has the envelope, with `success` false."""
    return {status: {"model": envelope, "description": HTTPStatus(status).phrase} for status in statuses}


def complete(path: str, operation: dict[str, Any]) -> None:
    """What the routes cannot say: the connection, the edge and the limits in front of them answer too."""
    is_health, is_diagnosis = path.startswith("/health/"), path.endswith("/ai-inference")
    if "requestBody" in operation:
        operation.setdefault("parameters", []).extend(TRACING_HEADERS)
    responses = operation["responses"]
    kinds = (name for name in ("UploadResponse", "TelemetryResponse") if name in str(responses.get("500")))
    model = next(kinds, "DiagnosisResponse")
    for status in ("400", "500", "503", *([] if is_health else ["429"])):
        responses.setdefault(status, failure(status, model))
    for status, response in responses.items():
        headers = REQUEST_ID | (RETRY_AFTER if status in RETRYABLE else {}) | (CHALLENGE if status == "401" else {})
        if is_diagnosis:
            headers |= (REPLAYED if status in {"200", "422"} else {}) | (RATE_LIMIT if status in {"200", "429"} else {})
        response["headers"] = headers
        content = response.get("content", {}).get("application/json")
        example = examples.failure(path, status)
        if content is not None and example is not None and "Response" in str(content["schema"]):
            content["example"] = example
    if is_diagnosis:
        responses["200"]["content"]["application/json"]["example"] = examples.DIAGNOSIS_RESPONSE


def failure(status: str, model: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": REF.format(model=model)}}}
    return {"description": HTTPStatus(int(status)).phrase, "content": content}


def install(app: FastAPI) -> None:
    """FastAPI asks `app.openapi` for the document, and offers no other place to add to it."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _, definitions = models_json_schema([(model, "validation") for model in MODELS], ref_template=REF)
            document["components"]["schemas"] |= definitions["$defs"]
            document["components"]["securitySchemes"] = BEARER
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    complete(path, operation)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
