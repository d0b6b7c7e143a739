"""What was asked, as it is stored and compared: two requests are the same if this is the same."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from frond.types import DiagnosisDetails


def payload(details: DiagnosisDetails, image_hashes: Iterable[str]) -> dict[str, Any]:
    """All of the request but the URLs, which are new at each try, and what the hash of a photo says already."""
    asked = details.model_dump(mode="json", by_alias=True, exclude={"images"})
    return {**asked, "images": [{"sha256": sha256} for sha256 in image_hashes]}


def fingerprint(asked: dict[str, Any]) -> str:
    """SHA-256 of the JSON with sorted keys and no spaces."""
    text = json.dumps(asked, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
