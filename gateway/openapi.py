"""The OpenAPI document: the wire contract of `frond.types`, for routes that read their bodies themselves."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from frond.types import MAX_IMAGES, DiagnosisRequest, DiagnosisResponse, MultipartDetails, UploadRequest, UploadResponse

if TYPE_CHECKING:
    from fastapi import FastAPI
    from pydantic import BaseModel

MODELS: list[type[BaseModel]] = [DiagnosisRequest, MultipartDetails, DiagnosisResponse, UploadRequest, UploadResponse]
REF = "#/components/schemas/{model}"


def body(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


def of_user(operation: dict[str, Any]) -> dict[str, Any]:
    return {**operation, "security": [{"bearer": []}]}


def ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REF.format(model=model.__name__)}


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
DIAGNOSIS_BODY = of_user(
    body(
        {
            "application/json": {"schema": ref(DiagnosisRequest)},
            "multipart/form-data": {
                "schema": MULTIPART_SCHEMA,
                "encoding": {"request": {"contentType": "application/json"}},
            },
        }
    )
)
UPLOAD_BODY = of_user(body({"application/json": {"schema": ref(UploadRequest)}}))
IMAGE_BODY = body({"image/*": {"schema": {}}})
TRACING_HEADERS: list[dict[str, Any]] = [
    {"name": "x-request-id", "in": "header", "schema": {"type": "string"}, "description": "comes back in the answer"},
    {"name": "traceparent", "in": "header", "schema": {"type": "string"}, "description": "W3C Trace Context"},
]
BEARER = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}


def failures(envelope: type[BaseModel], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """Each of them has the envelope, with `success` false."""
    return {status: {"model": envelope, "description": HTTPStatus(status).phrase} for status in statuses}


def describe_headers(document: dict[str, Any]) -> None:
    """What the routes' signatures cannot say: they take a missing key, to answer it with the contract's error."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                parameter["required"] |= parameter["name"] == "idempotency-key"
            if "requestBody" in operation:
                operation.setdefault("parameters", []).extend(TRACING_HEADERS)


def install(app: FastAPI) -> None:
    """FastAPI asks `app.openapi` for the document, and offers no other place to add to it."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _, definitions = models_json_schema([(model, "validation") for model in MODELS], ref_template=REF)
            document["components"]["schemas"] |= definitions["$defs"]
            document["components"]["securitySchemes"] = BEARER
            describe_headers(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
