"""UUIDs as text: in the one form that everybody writes, and in none of the others that Python's `UUID` takes."""

from __future__ import annotations

import re
from uuid import UUID

FORM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def parse_uuid(text: str) -> UUID | None:
    """None for anything but RFC 9562's form, in which letters may be large or small."""
    return UUID(text) if FORM.fullmatch(text) else None


def parse_canonical(text: str) -> UUID | None:
    """The same for small letters only: no two texts are one UUID."""
    found = parse_uuid(text)
    return found if found is not None and str(found) == text else None
