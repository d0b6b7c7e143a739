"""How photos travel: along with the request, or ahead of it to signed URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frond.errors import CloudValidationError

if TYPE_CHECKING:
    from frond.options import Delivery

# One round trip instead of three, but a lost connection sends all photos again, where an uploaded one stays. At 4
# Mbit/s this much takes the 8 s that there are.
MULTIPART_MAX_BYTES = 4 * 1024 * 1024


def goes_along(delivery: Delivery, photo_bytes: int, *, has_uploaded: bool) -> bool:
    """Whether the photos are sent in the request itself; `photo_bytes` of all that are not uploaded yet."""
    if delivery == "multipart" and has_uploaded:
        raise CloudValidationError(
            "Photos that were uploaded cannot be sent along; leave delivery at auto.", code="request_invalid"
        )
    if delivery not in {"auto", "multipart", "signed_urls"}:
        raise CloudValidationError("delivery must be auto, multipart or signed_urls.", code="request_invalid")
    if delivery == "auto":
        return not has_uploaded and photo_bytes <= MULTIPART_MAX_BYTES
    return delivery == "multipart"
