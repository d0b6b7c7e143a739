"""Requests as bytes and headers: the same body and the same key for every attempt."""

from __future__ import annotations

import re
import secrets
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from frond.errors import CloudValidationError
from frond.tracing import Trace
from frond.types import DiagnosisDetails, DiagnosisRequest, MultipartDetails

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frond.options import PredictOptions
    from frond.policy.deadline import Deadline
    from frond.policy.photos import Photo
    from frond.types import ImageReference, WireModel

DIAGNOSIS_PATH = "/v1/ai-inference"
UPLOAD_PATH = "/v1/uploads"
TELEMETRY_PATH = "/v1/telemetry"
JSON = "application/json"

# What RFC 9110 lets a field value be made of, less the spaces: a token with anything else would be another header.
BEARER_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Body:
    """Made once; every attempt sends the same bytes."""

    content_type: str
    content: bytes

    @classmethod
    def json(cls, model: WireModel) -> Body:
        return cls(JSON, model.model_dump_json(by_alias=True, exclude_none=True).encode())


@dataclass(frozen=True, slots=True)
class CallIdentity:
    """What the attempts of one call share: the key, the name in logs, and the trace of an app without spans."""

    idempotency_key: uuid.UUID
    request_id: str
    trace: Trace

    @classmethod
    def new(cls, idempotency_key: uuid.UUID | None = None) -> CallIdentity:
        return cls(idempotency_key or uuid.uuid4(), str(uuid.uuid4()), Trace.new())

    def headers(self, token: str, attempt: int, deadline: Deadline) -> dict[str, str]:
        """`attempt` counts from 1; the request id of each is its own, so that the service's log tells them apart."""
        return {
            "Authorization": f"Bearer {checked_token(token)}",
            "Idempotency-Key": str(self.idempotency_key),
            "X-Frond-Deadline-Ms": str(deadline.remaining_ms()),
            "X-Request-Id": self.attempt_id(attempt),
            **self.trace.headers(),
        }

    def attempt_id(self, attempt: int) -> str:
        return f"{self.request_id}-{attempt}"


def checked_token(token: str) -> str:
    """Raises `CloudValidationError` for what cannot stand in a header; the message does not repeat it."""
    if not BEARER_TOKEN.fullmatch(token):
        raise CloudValidationError("The access token is empty or has characters that no token has.", code="token_unfit")
    return token


def details_of(options: PredictOptions) -> DiagnosisDetails:
    """What both forms share; raises `CloudValidationError` naming the field that is wrong."""
    try:
        return DiagnosisDetails.model_validate(
            {
                "assessment_id": options.assessment_id,
                "plant_context": options.plant_context,
                "client": options.client,
                "model_version": options.model_version,
                "top_k": options.top_k,
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        text = f"{field} is missing" if first["input"] is None else f"{field}: {first['msg']}"
        raise CloudValidationError(f"{text}.", code="request_invalid") from error


def reference_body(details: DiagnosisDetails, images: Sequence[ImageReference]) -> Body:
    """The JSON form: the photos were uploaded before."""
    return Body.json(DiagnosisRequest(**dict(details), images=list(images)))


def multipart_body(details: DiagnosisDetails, photos: Sequence[Photo]) -> Body:
    """The multipart form (RFC 7578), each photo declared, so that one damaged on its way is found out."""
    declarations = [photo.declaration for photo in photos]
    request = MultipartDetails(**dict(details), images=declarations)
    boundary = secrets.token_hex(16)
    pieces = [_head(boundary, 'name="request"', JSON), Body.json(request).content]
    for index, photo in enumerate(photos):
        pieces += [b"\r\n", _head(boundary, f'name="images"; filename="{index}"', photo.content_type), photo.content]
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    return Body(f"multipart/form-data; boundary={boundary}", b"".join(pieces))


def _head(boundary: str, disposition: str, content_type: str) -> bytes:
    lines = (f"--{boundary}", f"Content-Disposition: form-data; {disposition}", f"Content-Type: {content_type}", "", "")
    return "\r\n".join(lines).encode()
