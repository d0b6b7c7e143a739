"""Request bodies read as they arrive, under a cap."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from gateway.deadline import Deadline
from gateway.envelope import JSON, describe
from gateway.errors import (
    BodyTooLargeError,
    ClientGoneError,
    DeadlineError,
    InvalidHeaderError,
    InvalidRequestError,
    MalformedRequestError,
    UnsupportedBodyError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from gateway.memory import Share

ModelT = TypeVar("ModelT", bound=BaseModel)

# Slower than any phone network that works; a photo's owner has given up long before.
MIN_BYTES_PER_SECOND = 1024
GRACE_SECONDS = 10.0  # for a network that stalls, and for a client that makes its body while it sends


class Pace:
    """When the next piece of a body must be here: by the deadline, and sooner if it trickles."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._slowest = time.monotonic() + GRACE_SECONDS

    def until(self, received_bytes: int) -> Deadline:
        return Deadline(min(self._deadline.at, self._slowest + received_bytes / MIN_BYTES_PER_SECOND))


async def chunks(request: Request, max_bytes: int, deadline: Deadline, share: Share) -> AsyncIterator[bytes]:
    """The body in pieces. Refuses a body that says it is too large before reading, any other one when it gets so,
    when it comes too slowly, or when this process holds too much already.
    """
    check_length(request.headers.get("content-length"), max_bytes)
    received = 0
    pace = Pace(deadline)
    stream = request.stream()
    while chunk := await next_chunk(stream, pace.until(received)):
        received += len(chunk)
        if received > max_bytes:
            raise BodyTooLargeError(f"The body may have at most {max_bytes} bytes.")
        share.take(len(chunk))
        yield chunk


async def read(request: Request, max_bytes: int, deadline: Deadline, share: Share) -> bytes:
    content = bytearray()  # not a list: a client decides how small the pieces are
    async for chunk in chunks(request, max_bytes, deadline, share):
        content += chunk
    return bytes(content)


async def read_model(request: Request, model: type[ModelT], max_bytes: int, share: Share) -> ModelT:
    """A small JSON body that is all of a request. Raises what `read` and `validate` do, and `UnsupportedBodyError`."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise UnsupportedBodyError(f"The body must be {JSON}.")
    return validate(model, await read(request, max_bytes, Deadline.from_header(None), share))


def check_length(content_length: str | None, max_bytes: int) -> None:
    if content_length is None:
        return
    if not (content_length.isascii() and content_length.isdigit()):
        raise InvalidHeaderError("Content-Length must be a whole number.")
    if int(content_length) > max_bytes:
        raise BodyTooLargeError(
            f"The body may have at most {max_bytes} bytes; this one says that it has {int(content_length)}."
        )


async def next_chunk(stream: AsyncIterator[bytes], until: Deadline) -> bytes:
    """Starlette ends the stream with an empty piece."""
    try:
        async with asyncio.timeout(until.remaining()):
            return await anext(stream, b"")
    except TimeoutError as error:
        raise DeadlineError("The body did not arrive in time.") from error
    except ClientDisconnect as error:
        raise ClientGoneError("The client hung up.") from error


def validate(model: type[ModelT], content: bytes) -> ModelT:
    """Strictly: a number in quotes is no number. Malformed JSON is a 400, a field that breaks the contract a 422."""
    try:
        return model.model_validate_json(content, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        is_json = all(detail["type"] != "json_invalid" for detail in details)
        raise (InvalidRequestError if is_json else MalformedRequestError)(describe(details)) from error
