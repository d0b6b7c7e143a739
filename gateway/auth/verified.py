"""Tokens whose signature was found good, so that it is checked once and not with each request."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jwt import PyJWK

    from gateway.auth.protocols import Caller

MAX_TOKENS = 4096  # 2 KB each with usual claims; at worst, with tokens as long as allowed, 40 MB


@dataclass(frozen=True, slots=True)
class Verified:
    """`expires_at` in seconds since 1970."""

    caller: Caller
    expires_at: int


class VerifiedTokens:
    """By the token's hash: what is kept here opens nothing. Another key set empties it; the oldest goes when full."""

    def __init__(self, max_tokens: int = MAX_TOKENS) -> None:
        self._max_tokens = max_tokens
        self._keys: Mapping[str, PyJWK] | None = None
        self._tokens: dict[bytes, Verified] = {}

    def find(self, keys: Mapping[str, PyJWK], token: str) -> Verified | None:
        """`keys` are those in force: only what was verified with these very ones is found."""
        return self._tokens.get(hash_of(token)) if keys is self._keys else None

    def add(self, keys: Mapping[str, PyJWK], token: str, verified: Verified) -> None:
        if keys is not self._keys:
            self._keys = keys
            self._tokens.clear()
        if len(self._tokens) >= self._max_tokens:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[hash_of(token)] = verified


def hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
