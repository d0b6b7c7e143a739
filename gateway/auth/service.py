"""A bearer token → the caller, or why not."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

import jwt

from gateway.auth.protocols import Caller
from gateway.errors import RoleForbiddenError, TokenExpiredError, UnauthenticatedError

if TYPE_CHECKING:
    from gateway.auth.protocols import KeySource

MAX_TOKEN_CHARACTERS = 8192  # what proxies take in a header; Supabase's tokens have about 1,000
LEEWAY_SECONDS = 30
REQUIRED_CLAIMS = ["exp", "iss", "aud", "sub", "role"]
# A header that brings its own key (RFC 7515, 4.1.2 to 4.1.6), or asks for what we do not know (4.1.11).
FORBIDDEN_HEADERS = frozenset({"jku", "jwk", "x5u", "x5c", "crit"})
USER_ROLE = "authenticated"
UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class TokenVerifier:
    """JWTs of one issuer for one audience; the key decides the algorithm (RFC 8725, 3.1)."""

    def __init__(self, keys: KeySource, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    def verify(self, token: str) -> Caller:
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise UnauthenticatedError(f"The token has more than {MAX_TOKEN_CHARACTERS} characters.")
        try:
            claims = self._decode(token)
        except jwt.ExpiredSignatureError as error:
            raise TokenExpiredError("The token has expired.") from error
        except (jwt.PyJWTError, RecursionError, OverflowError) as error:
            raise UnauthenticatedError(f"The token is not valid: {reason(error)}") from error
        return caller_of(claims)

    def _decode(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        if FORBIDDEN_HEADERS & header.keys():
            raise jwt.InvalidTokenError("its header has a field that is not accepted.")
        key = self._keys.find(str(header.get("kid")))
        if key is None:
            raise jwt.InvalidTokenError("its key is unknown.")
        return jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            issuer=self._issuer,
            audience=self._audience,
            leeway=LEEWAY_SECONDS,
            options={"require": REQUIRED_CLAIMS},
        )


def reason(error: Exception) -> str:
    """PyJWT's sentence says what is wrong with a claim; of a recursion there is nothing to tell."""
    return str(error) if isinstance(error, jwt.PyJWTError) else "it is malformed."


def caller_of(claims: dict[str, Any]) -> Caller:
    subject = claims["sub"]
    if not UUID_TEXT.fullmatch(subject):
        raise UnauthenticatedError("The token is not valid: its sub is no UUID.")
    if claims["role"] != USER_ROLE:
        raise RoleForbiddenError(f"Only the role {USER_ROLE} may ask.")
    return Caller(UUID(subject), json_for_database(claims))


def json_for_database(claims: dict[str, Any]) -> str:
    """PostgreSQL knows no infinity, no half of a surrogate pair and no U+0000; JSON in a token can hold each."""
    try:
        text = json.dumps(claims, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (ValueError, RecursionError) as error:
        raise UnauthenticatedError("The token is not valid: it is malformed.") from error
    if r"\u0000" in text.replace(r"\\", ""):  # written out, and not behind a backslash of the text's own
        raise UnauthenticatedError("The token is not valid: it is malformed.")
    return text
