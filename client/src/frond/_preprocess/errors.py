"""What can be wrong with a photo, one class a fact, each with its stable code."""

from __future__ import annotations

from typing import ClassVar


class ImageError(Exception):
    """A photo that cannot become a tensor; sending the same bytes again cannot help."""

    code: ClassVar[str] = "image_invalid"


class EmptyImageError(ImageError):
    code = "image_empty"


class UnsupportedImageError(ImageError):
    """Neither JPEG, PNG, WebP nor HEIC, or a kind of these that no camera writes."""

    code = "image_type_unsupported"


class ImageTooLargeError(ImageError):
    """More bytes than allowed."""

    code = "image_too_large"


class TooManyPixelsError(ImageError):
    code = "image_too_many_pixels"


class TooComplexImageError(ImageError):
    """More scans, segments, chunks or tiles than any camera writes: cheap to send, dear to decode."""

    code = "image_too_complex"


class TruncatedImageError(ImageError):
    code = "image_truncated"


class CorruptImageError(ImageError):
    code = "image_corrupt"


class PolyglotImageError(ImageError):
    """The bytes are also a document of another kind (ZIP, PDF, HTML, script), which no camera makes."""

    code = "image_polyglot"
