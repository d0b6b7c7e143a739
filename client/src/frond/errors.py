"""Why there is no diagnosis: the only exceptions that the client raises, one class for each category.

FrondError
├── CloudInferenceError          category, code, retryable, retry_after, request_id, idempotency_key, status
│   ├── CloudNetworkError        no connection, a reset, DNS, TLS
│   ├── CloudAuthError           the token is missing, invalid or expired; another user's photo
│   ├── CloudTimeoutError        the deadline passed
│   ├── CloudServerError         the service is out, overloaded or limits the rate; an answer that is none of Frond's
│   └── CloudValidationError     the request or a photo is wrong
└── DeviceInferenceError         code
    ├── DeviceTimeoutError       the device had no answer in its time
    ├── DeviceFailedError        the device's model failed
    └── DeviceUnavailableError   there is no model on this device
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from frond.types import ErrorCategory

if TYPE_CHECKING:
    import uuid


class FrondError(Exception):
    """`code` is stable and lower-case; the text is for people, and holds no token, URL or photo."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        """`multiprocessing` sends errors from one process to another."""
        return _unpickled, (type(self), self.args), self.__dict__


def _unpickled(cls: type[FrondError], args: tuple[str, ...]) -> FrondError:
    return cls.__new__(cls, *args)


class CloudInferenceError(FrondError):
    """The cloud gave no diagnosis.

    `retryable`: the same request, under the same key, may be answered later. `retry_after`: seconds to wait before
    that, None where nobody said. `request_id`: the name in the service's log of the last request of the call, None
    where none was sent. `idempotency_key`: of the call, whoever made it; the same photos and options under this key are
    the same request, of which there is one answer at most. None outside of a call, and of `upload_images`, which needs
    none. `status`: of HTTP, None where there was no answer.
    """

    category: ClassVar[ErrorCategory] = ErrorCategory.SERVER

    def __init__(
        self,
        message: str,
        *,
        code: str,
        retryable: bool = False,
        retry_after: float | None = None,
        request_id: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.retryable = retryable
        self.retry_after = retry_after
        self.request_id = request_id
        self.idempotency_key: uuid.UUID | None = None
        self.status = status

    def __str__(self) -> str:
        where = f", request {self.request_id}" if self.request_id else ""
        return f"{super().__str__()} ({self.category.value}: {self.code}{where})"


class CloudNetworkError(CloudInferenceError):
    """No connection, a reset, DNS or TLS; every attempt that the budget allowed ended so."""

    category = ErrorCategory.NETWORK


class CloudAuthError(CloudInferenceError):
    """The token is missing, invalid or expired, or the photo is another user's."""

    category = ErrorCategory.AUTH


class CloudTimeoutError(CloudInferenceError):
    """The deadline passed; the cause is why the last attempt failed, if one did."""

    category = ErrorCategory.TIMEOUT


class CloudServerError(CloudInferenceError):
    """The service is out, overloaded or limits the rate, or the answer is none of Frond's."""

    category = ErrorCategory.SERVER


class CloudValidationError(CloudInferenceError):
    """The request or a photo is wrong: sending the same again cannot help."""

    category = ErrorCategory.VALIDATION


def closed_error() -> CloudValidationError:
    return CloudValidationError("The client is closed.", code="client_closed")


CLASSES: dict[ErrorCategory, type[CloudInferenceError]] = {
    error.category: error
    for error in (CloudNetworkError, CloudAuthError, CloudTimeoutError, CloudServerError, CloudValidationError)
}


class DeviceInferenceError(FrondError):
    """The device gave no diagnosis, and the cloud was not asked or not allowed."""


class DeviceTimeoutError(DeviceInferenceError):
    """The device had no answer in its time."""

    def __init__(self, message: str = "The device had no answer in its time.") -> None:
        super().__init__(message, code="device_timeout")


class DeviceFailedError(DeviceInferenceError):
    """The model on the device failed; the cause is what it raised."""

    def __init__(self, message: str = "The model on the device failed.", *, code: str = "device_failed") -> None:
        super().__init__(message, code=code)


class DeviceUnavailableError(DeviceInferenceError):
    """There is no model on this device, or the extra `frond[device]` is missing."""

    def __init__(self, message: str = "There is no model on this device.") -> None:
        super().__init__(message, code="device_unavailable")
