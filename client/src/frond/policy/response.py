"""An HTTP answer → a result or a typed error; whatever is not Frond's envelope is an error of the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from frond.errors import CLASSES, CloudInferenceError, CloudServerError
from frond.types import Diagnosis, DiagnosisResponse, UploadResponse, UploadTicket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from frond.types import Error

Envelope = TypeVar("Envelope", DiagnosisResponse, UploadResponse)

MAX_ANSWER_BYTES = 4 * 1024 * 1024  # eight photos with a hundred predictions each are 150 KB
MAX_RETRY_AFTER_SECONDS = 3600.0
TOO_MANY_REQUESTS, FIRST_SERVER_STATUS = 429, 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def is_replayed(self) -> bool:
        """The stored answer of an earlier request under the same key."""
        return self.headers.get("idempotency-replayed", "").lower() == "true"


def diagnosis_in(answer: Answer) -> tuple[Diagnosis, str]:
    """The diagnosis and the request id of its inference; raises a `CloudInferenceError`."""
    envelope = _envelope(DiagnosisResponse, answer)
    if envelope.result is None:
        raise _failure(envelope.error, envelope.request_id, answer)
    return envelope.result, envelope.request_id


def ticket_in(answer: Answer) -> UploadTicket:
    """Where to put a photo; raises a `CloudInferenceError`."""
    envelope = _envelope(UploadResponse, answer)
    if envelope.result is None:
        raise _failure(envelope.error, envelope.request_id, answer)
    return envelope.result


def storage_failure(answer: Answer) -> CloudInferenceError:
    """What a storage answered to a PUT: Frond's envelope from the gateway's own, anything from others."""
    try:
        envelope = _envelope(UploadResponse, answer)
    except CloudServerError:
        return _foreign(answer, f"The storage answered the upload with status {answer.status}.", "upload_failed")
    return _failure(envelope.error, envelope.request_id, answer)


def _envelope(model: type[Envelope], answer: Answer) -> Envelope:
    """Fields that a later service adds are no error."""
    try:
        envelope = model.model_validate_json(answer.content, extra="ignore")
    except ValidationError as error:
        raise _not_an_envelope(answer) from error
    if (envelope.result is None) == (envelope.error is None) or envelope.success is not (envelope.error is None):
        raise _not_an_envelope(answer)
    return envelope


def _failure(error: Error | None, request_id: str, answer: Answer) -> CloudInferenceError:
    if error is None:
        return _not_an_envelope(answer)
    return CLASSES[error.category](
        error.message,
        code=error.code,
        retryable=error.retryable,
        retry_after=_retry_after(answer) if error.retry_after_ms is None else max(0, error.retry_after_ms) / 1000,
        request_id=request_id,
        status=answer.status,
    )


def _not_an_envelope(answer: Answer) -> CloudServerError:
    return _foreign(answer, f"The answer, status {answer.status}, is not one of Frond's.", "answer_invalid")


def _foreign(answer: Answer, message: str, code: str) -> CloudServerError:
    """From a proxy in front of the service, a portal of a hotel, a storage; overloaded ones say 429 or 5xx."""
    is_retryable = answer.status == TOO_MANY_REQUESTS or answer.status >= FIRST_SERVER_STATUS
    return CloudServerError(
        message,
        code=code,
        retryable=is_retryable,
        retry_after=_retry_after(answer) if is_retryable else None,
        request_id=answer.headers.get("x-request-id"),
        status=answer.status,
    )


def _retry_after(answer: Answer) -> float | None:
    """Seconds in `Retry-After` (RFC 9110, 10.2.3); a date there is left out, since the device's clock may be off."""
    text = answer.headers.get("retry-after", "").strip()
    return min(float(text), MAX_RETRY_AFTER_SECONDS) if text.isascii() and text.isdigit() else None
