"""What the gateway says of a photo before Triton sees it: its header, and the type it was declared as."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from frond.types import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS, Error, ErrorCategory
from gateway.errors import ForbiddenError, ImageTypeMismatchError, InvalidRequestError
from preprocess.errors import ImageError
from preprocess.header import Limits, read_header

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS = Limits(MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS)
# Names for the same thing that phones and browsers send.
TYPE_ALIASES = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/heif": "image/heic"}
MEDIA_TYPE = re.compile(r"[A-Za-z0-9.+-]{1,60}/[A-Za-z0-9.+-]{1,60}")  # RFC 6838; others are not repeated to anyone


def inspect(content: bytes, declared_type: str | None) -> Error | None:
    """What is wrong with a photo; it fails alone. None: worth Triton's time, which may still find its pixels broken."""
    try:
        header = read_header(content, LIMITS)
    except ImageError as error:
        return unreadable(error.code, str(error))
    if declared_type is not None and TYPE_ALIASES.get(declared_type, declared_type) != header.content_type:
        declared = declared_type if MEDIA_TYPE.fullmatch(declared_type) else "another type"
        return unreadable(
            ImageTypeMismatchError.code, f"The photo is {header.content_type} and was declared as {declared}."
        )
    return None


def unreadable(code: str, message: str) -> Error:
    return Error(category=ErrorCategory.VALIDATION, code=code, message=message, retryable=False)


@contextmanager
def naming(index: int) -> Iterator[None]:
    """What is wrong with a photo of the request says with which."""
    try:
        yield
    except (InvalidRequestError, ForbiddenError) as error:
        error.args = (f"images[{index}]: {error}",)
        raise
