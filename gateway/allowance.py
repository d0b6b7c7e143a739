"""What is left of a user's rate, and how an answer says so: draft-ietf-httpapi-ratelimit-headers-10."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """A user's rate limit: how many more requests may start at once, and when the burst is full again."""

    burst: int
    period_seconds: float  # between two in the long run
    remaining: int
    full_in_seconds: float


def headers_of(allowance: Allowance | None) -> dict[str, str]:
    """Structured fields (RFC 9651), in whole seconds. None for an answer that cost nothing."""
    if allowance is None:
        return {}
    window = math.ceil(allowance.burst * allowance.period_seconds)
    return {
        "RateLimit-Policy": f'"user";q={allowance.burst};w={max(1, window)}',
        "RateLimit": f'"user";r={allowance.remaining};t={math.ceil(allowance.full_in_seconds)}',
    }
