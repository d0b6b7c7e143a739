"""A photo's bytes → what is sent (its type from its first bytes, small, without metadata, hashed), or why not."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from frond._preprocess.errors import EmptyImageError, ImageError, ImageTooLargeError
from frond._preprocess.header import ContentType, Limits, inspect
from frond.errors import CloudValidationError
from frond.policy.metadata import without_metadata
from frond.policy.scaling import scaled
from frond.types import (
    MAX_IMAGE_BYTES,
    MAX_IMAGE_PIXELS,
    MAX_IMAGES,
    Error,
    ErrorCategory,
    ImageDeclaration,
    ImageDiagnosis,
)

JPEG_SIGN = b"\xff\xd8\xff"
# What may be scaled down: phones take 200 megapixels. Only a JPEG can be decoded at a fraction of its size; anything
# else takes four bytes a pixel for a moment, twice that where it is transparent.
MAX_SOURCE_BYTES = 100 * 1024 * 1024
MAX_JPEG_PIXELS = 250_000_000
MAX_DECODED_PIXELS = 100_000_000


@dataclass(frozen=True, slots=True)
class PhotoPolicy:
    """How photos are made ready.

    A photo above `max_bytes` is scaled to at most `max_side` pixels and written as JPEG of `jpeg_quality`; the models
    look at 224 to 380 pixels, so that 1600 lose nothing that they see. It takes the extra `frond[photos]`; without it a
    photo is sent as large as it is, and one above the service's limits (20 MB, 50 megapixels) is not sent. With it one
    above 50 megapixels is scaled too: a JPEG up to 250, others, which have to be decoded whole, up to 100.
    `removes_metadata`: see `frond.policy.metadata`; without it bytes are sent as they are, broken ones too.
    """

    max_bytes: int = 1_500_000
    max_side: int = 1600
    jpeg_quality: int = 87
    removes_metadata: bool = True


@dataclass(frozen=True, slots=True)
class Photo:
    """What is sent; `sha256` and the type are those of these bytes."""

    content: bytes
    sha256: str
    content_type: ContentType

    @property
    def declaration(self) -> ImageDeclaration:
        return ImageDeclaration(sha256=self.sha256, content_type=self.content_type, bytes=len(self.content))


@dataclass(frozen=True, slots=True)
class UnfitPhoto:
    """A photo that stays here, for a reason that the service would have found too; `sha256` is that of its file."""

    sha256: str
    code: str
    message: str

    @property
    def diagnosis(self) -> ImageDiagnosis:
        """As the service answers for a photo that it cannot read."""
        error = Error(category=ErrorCategory.VALIDATION, code=self.code, message=self.message, retryable=False)
        return ImageDiagnosis(sha256=self.sha256, predictions=[], error=error)

    def refusal(self, index: int) -> CloudValidationError:
        """`index` counts from 0 and names the photo in the message."""
        return CloudValidationError(f"Photo {index}: {self.message}", code=self.code)


def check_photos(photos: object) -> None:
    """That it is a sequence of 1 to 8; a single path in place of one is a slip that types do not catch."""
    if not isinstance(photos, Sequence) or isinstance(photos, str | bytes | bytearray):
        raise CloudValidationError("photos must be a list, of one photo too.", code="request_invalid")
    if not 1 <= len(photos) <= MAX_IMAGES:
        message = f"There are {len(photos)} photos; 1 to {MAX_IMAGES} are needed."
        raise CloudValidationError(message, code="image_count_invalid")


def prepare(data: bytes, policy: PhotoPolicy) -> Photo | UnfitPhoto:
    """Takes milliseconds a megabyte, with scaling up to a second."""
    try:
        content, content_type = _made_ready(data, policy) if policy.removes_metadata else _as_it_is(data)
    except ImageError as error:
        return UnfitPhoto(hashlib.sha256(data).hexdigest(), error.code, str(error))
    return Photo(content, hashlib.sha256(content).hexdigest(), content_type)


def _made_ready(data: bytes, policy: PhotoPolicy) -> tuple[bytes, ContentType]:
    max_pixels = MAX_JPEG_PIXELS if data.startswith(JPEG_SIGN) else MAX_DECODED_PIXELS
    limits = Limits(MAX_SOURCE_BYTES, max_pixels)
    content_type, outline = inspect(data, limits)
    try:
        content = without_metadata(data, content_type, outline)
    except (struct.error, IndexError) as error:
        raise ImageError("The photo's metadata cannot be found, and so not removed.") from error
    if len(content) > policy.max_bytes or outline.width * outline.height > MAX_IMAGE_PIXELS:
        smaller = scaled(content, content_type, outline.orientation, policy.max_side, policy.jpeg_quality)
        if smaller is not None:
            return smaller, "image/jpeg"
        inspect(content, Limits(MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS))
    return content, content_type


def _as_it_is(data: bytes) -> tuple[bytes, ContentType]:
    """Broken photos too: the service says what is wrong with them."""
    if not data:
        raise EmptyImageError("The photo is empty.")
    if len(data) > MAX_IMAGE_BYTES:
        raise ImageTooLargeError(f"The photo has {len(data)} bytes; at most {MAX_IMAGE_BYTES} are allowed.")
    try:
        return data, inspect(data, Limits())[0]
    except ImageError:
        return data, "image/jpeg"
