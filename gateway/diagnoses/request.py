"""The body of a diagnosis request in its two forms → details and photos, held to what the request says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frond.types import DiagnosisRequest, MultipartDetails
from gateway import body
from gateway.diagnoses import multipart
from gateway.diagnoses.protocols import Photo
from gateway.errors import (
    ImageCountError,
    ImageHashMismatchError,
    ImageSizeMismatchError,
    UnsupportedBodyError,
)

if TYPE_CHECKING:
    from starlette.requests import Request

    from frond.types import DiagnosisDetails, ImageDeclaration
    from gateway.deadline import Deadline
    from gateway.memory import Share


async def read(request: Request, deadline: Deadline, share: Share) -> tuple[DiagnosisDetails, tuple[Photo, ...]]:
    """`share` covers afterwards what was read; photos by URL are still to be fetched."""
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        return await read_multipart(request, content_type, deadline, share)
    if media_type == "application/json":
        return await read_json(request, deadline, share)
    raise UnsupportedBodyError("The body must be application/json or multipart/form-data.")


async def read_json(request: Request, deadline: Deadline, share: Share) -> tuple[DiagnosisDetails, tuple[Photo, ...]]:
    details = body.validate(DiagnosisRequest, await body.read(request, multipart.MAX_DETAILS_BYTES, deadline, share))
    photos = (Photo(image.sha256, image.bytes, image.content_type, url=str(image.url)) for image in details.images)
    return details, tuple(photos)


async def read_multipart(
    request: Request, content_type: str, deadline: Deadline, share: Share
) -> tuple[DiagnosisDetails, tuple[Photo, ...]]:
    chunks = body.chunks(request, multipart.MAX_MULTIPART_BYTES, deadline, share)
    content, photos = await multipart.parse(content_type, chunks)
    details = body.validate(MultipartDetails, content)
    if not details.images:  # an empty list declares as little as none
        return details, tuple(photos)
    if len(details.images) != len(photos):
        raise ImageCountError(f"request.images names {len(details.images)} photos; {len(photos)} came.")
    return details, tuple(map(hold_to, details.images, photos, range(len(photos))))


def hold_to(declaration: ImageDeclaration, photo: Photo, index: int) -> Photo:
    """The photo with its declared type, if it is the one that was declared."""
    if declaration.bytes != photo.size_bytes:
        raise ImageSizeMismatchError(
            f"request.images[{index}].bytes is {declaration.bytes}; the photo has {photo.size_bytes}."
        )
    if declaration.sha256 != photo.sha256:
        raise ImageHashMismatchError(f"request.images[{index}].sha256 is not the hash of the photo that came.")
    return Photo(photo.sha256, photo.size_bytes, declaration.content_type, content=photo.content)
