"""Everything that can go wrong with a request, one class a fact: category, HTTP status, stable code.

GatewayError
├── InvalidRequestError               validation  422  request_invalid
│   ├── MalformedRequestError                     400  request_malformed
│   ├── InvalidHeaderError                        400  header_invalid
│   ├── IdempotencyKeyMissingError                400  idempotency_key_missing
│   ├── IdempotencyKeyInvalidError                400  idempotency_key_invalid
│   ├── IdempotencyKeyReusedError                 422  idempotency_key_reused
│   ├── UnsupportedBodyError                      415  content_type_unsupported
│   ├── BodyTooLargeError                         413  body_too_large
│   ├── ImageTooLargeError                        413  image_too_large
│   ├── ImageCountError                           422  image_count_invalid
│   ├── ImageHashMismatchError                    422  image_hash_mismatch
│   ├── ImageSizeMismatchError                    422  image_size_mismatch
│   ├── ImageTypeMismatchError                    422  image_type_mismatch
│   ├── ImageNotUploadedError                     422  image_not_uploaded
│   ├── ImageUrlForeignError                      422  image_url_foreign
│   ├── UnreadableImagesError        *            422  the first photo's code
│   ├── ModelVersionUnknownError     *            422  model_version_unknown
│   ├── ModelRequestError            *            422  model_request_invalid
│   ├── NotFoundError                             404  not_found
│   └── MethodNotAllowedError                     405  method_not_allowed
├── UnauthenticatedError              auth        401  token_invalid
│   ├── TokenMissingError                         401  token_missing
│   └── TokenExpiredError                         401  token_expired
├── ForbiddenError                    auth        403  forbidden
│   ├── RoleForbiddenError                        403  role_forbidden
│   ├── ObjectForbiddenError                      403  object_forbidden
│   ├── UrlSignatureError                         403  url_signature_invalid
│   └── UrlExpiredError                           403  url_expired
├── DeadlineError                     timeout     504  deadline_exceeded
├── ServerError                       server      500  internal_error            retryable, like all below it
│   ├── ModelAnswerError                          500  model_answer_invalid
│   ├── ModelFailedError                          503  model_failed
│   ├── ModelVersionUnavailableError              503  model_version_unavailable
│   ├── TritonUnavailableError                    503  triton_unavailable
│   ├── OverloadedError                           503  overloaded
│   ├── StoppingError                             503  stopping
│   ├── KeysUnavailableError                      503  keys_unavailable
│   ├── DatabaseUnavailableError                  503  database_unavailable
│   ├── StorageUnavailableError                   503  storage_unavailable
│   ├── RequestInFlightError                      409  request_in_flight
│   ├── RateLimitedError                          429  rate_limited
│   └── UnauthenticatedFloodError                 429  too_many_unauthenticated
└── ClientGoneError                   network     499  client_gone               nobody is left to read it

* deterministic: stored under the idempotency key and replayed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from frond.types import ErrorCategory

if TYPE_CHECKING:
    from gateway.allowance import Allowance


# The statuses whose category is not plain from their first digit.
CATEGORIES = {
    401: ErrorCategory.AUTH,
    403: ErrorCategory.AUTH,
    409: ErrorCategory.SERVER,
    429: ErrorCategory.SERVER,
    499: ErrorCategory.NETWORK,
    504: ErrorCategory.TIMEOUT,
}


class GatewayError(Exception):
    """`str(error)` is shown to the caller: it names the field and the limit, and never a token, signature or photo."""

    category: ClassVar[ErrorCategory]
    status: ClassVar[int]
    code: str
    retry_after_ms: int | None = None
    is_deterministic: ClassVar[bool] = False

    @property
    def retryable(self) -> bool:
        return self.category is ErrorCategory.SERVER


class InvalidRequestError(GatewayError):
    category = ErrorCategory.VALIDATION
    status = 422
    code = "request_invalid"


class MalformedRequestError(InvalidRequestError):
    status = 400
    code = "request_malformed"


class InvalidHeaderError(InvalidRequestError):
    status = 400
    code = "header_invalid"


class IdempotencyKeyMissingError(InvalidRequestError):
    status = 400
    code = "idempotency_key_missing"


class IdempotencyKeyInvalidError(InvalidRequestError):
    status = 400
    code = "idempotency_key_invalid"


class IdempotencyKeyReusedError(InvalidRequestError):
    code = "idempotency_key_reused"


class UnsupportedBodyError(InvalidRequestError):
    status = 415
    code = "content_type_unsupported"


class BodyTooLargeError(InvalidRequestError):
    status = 413
    code = "body_too_large"


class ImageTooLargeError(InvalidRequestError):
    status = 413
    code = "image_too_large"


class ImageCountError(InvalidRequestError):
    code = "image_count_invalid"


class ImageHashMismatchError(InvalidRequestError):
    code = "image_hash_mismatch"


class ImageSizeMismatchError(InvalidRequestError):
    code = "image_size_mismatch"


class ImageTypeMismatchError(InvalidRequestError):
    code = "image_type_mismatch"


class ImageNotUploadedError(InvalidRequestError):
    """Not deterministic: the upload may arrive after all."""

    code = "image_not_uploaded"


class ImageUrlForeignError(InvalidRequestError):
    code = "image_url_foreign"


class UnreadableImagesError(InvalidRequestError):
    """No photo of the request can be read; `code` is the first one's."""

    is_deterministic = True

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class ModelVersionUnknownError(InvalidRequestError):
    code = "model_version_unknown"
    is_deterministic = True


class ModelRequestError(InvalidRequestError):
    """The model refuses what passed the gateway's own checks."""

    code = "model_request_invalid"
    is_deterministic = True


class NotFoundError(InvalidRequestError):
    status = 404
    code = "not_found"


class MethodNotAllowedError(InvalidRequestError):
    status = 405
    code = "method_not_allowed"


class UnauthenticatedError(GatewayError):
    category = ErrorCategory.AUTH
    status = 401
    code = "token_invalid"


class TokenMissingError(UnauthenticatedError):
    code = "token_missing"


class TokenExpiredError(UnauthenticatedError):
    code = "token_expired"


class ForbiddenError(GatewayError):
    category = ErrorCategory.AUTH
    status = 403
    code = "forbidden"


class RoleForbiddenError(ForbiddenError):
    code = "role_forbidden"


class ObjectForbiddenError(ForbiddenError):
    """Another user's object, whether it exists or not."""

    code = "object_forbidden"


class UrlSignatureError(ForbiddenError):
    code = "url_signature_invalid"


class UrlExpiredError(ForbiddenError):
    code = "url_expired"


class DeadlineError(GatewayError):
    category = ErrorCategory.TIMEOUT
    status = 504
    code = "deadline_exceeded"


class ServerError(GatewayError):
    category = ErrorCategory.SERVER
    status = 500
    code = "internal_error"
    retry_after_ms = 1000

    def __init__(self, message: str, retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        if retry_after_ms is not None:
            self.retry_after_ms = retry_after_ms


class ModelAnswerError(ServerError):
    code = "model_answer_invalid"


class ModelFailedError(ServerError):
    status = 503
    code = "model_failed"


class ModelVersionUnavailableError(ServerError):
    """The version is registered, and its model is not loaded."""

    status = 503
    code = "model_version_unavailable"


class TritonUnavailableError(ServerError):
    status = 503
    code = "triton_unavailable"


class OverloadedError(ServerError):
    status = 503
    code = "overloaded"


class StoppingError(ServerError):
    """This process was asked to go and has waited for the request as long as it may."""

    status = 503
    code = "stopping"


class KeysUnavailableError(ServerError):
    """The issuer's keys have never been had: no token can be judged."""

    status = 503
    code = "keys_unavailable"


class DatabaseUnavailableError(ServerError):
    status = 503
    code = "database_unavailable"


class StorageUnavailableError(ServerError):
    status = 503
    code = "storage_unavailable"


class RequestInFlightError(ServerError):
    status = 409
    code = "request_in_flight"


class RateLimitedError(ServerError):
    status = 429
    code = "rate_limited"

    def __init__(self, message: str, retry_after_ms: int | None = None, allowance: Allowance | None = None) -> None:
        super().__init__(message, retry_after_ms)
        self.allowance = allowance


class UnauthenticatedFloodError(ServerError):
    """This process has answered as many requests without a valid token as it may."""

    status = 429
    code = "too_many_unauthenticated"


class ClientGoneError(GatewayError):
    category = ErrorCategory.NETWORK
    status = 499
    code = "client_gone"


def category_of(status: int | None) -> ErrorCategory | None:
    """The category of the errors with this HTTP status; None for what is no error."""
    if status is None:
        return ErrorCategory.SERVER
    if status < 400:
        return None
    return CATEGORIES.get(status, ErrorCategory.SERVER if status >= 500 else ErrorCategory.VALIDATION)
