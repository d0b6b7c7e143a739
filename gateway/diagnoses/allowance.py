"""A user's rate limit as response headers: draft-ietf-httpapi-ratelimit-headers-10."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.diagnoses.protocols import Allowance


def headers_of(allowance: Allowance | None) -> dict[str, str]:
    """Structured fields (RFC 9651), in whole seconds. None for an answer that cost nothing."""
    if allowance is None:
        return {}
    window = math.ceil(allowance.burst * allowance.period_seconds)
    return {
        "RateLimit-Policy": f'"user";q={allowance.burst};w={max(1, window)}',
        "RateLimit": f'"user";r={allowance.remaining};t={math.ceil(allowance.full_in_seconds)}',
    }
