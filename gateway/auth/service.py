"""A bearer token → the caller, or why not."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import jwt
from jwt import PyJWK

from gateway.auth.keys import ALGORITHMS
from gateway.auth.protocols import Caller
from gateway.auth.verified import Verified, VerifiedTokens
from gateway.errors import RoleForbiddenError, TokenExpiredError, UnauthenticatedError
from gateway.uuids import parse_uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.auth.protocols import KeySource
    from gateway.metrics import Metrics

MAX_TOKEN_CHARACTERS = 8192  # what proxies take in a header; Supabase's tokens have about 1,000
LEEWAY_SECONDS = 30
REQUIRED_CLAIMS = ["exp", "iss", "aud", "sub", "role"]
# A header that brings its own key (RFC 7515, 4.1.2 to 4.1.6), or asks for what we do not know (4.1.11).
FORBIDDEN_HEADERS = frozenset({"jku", "jwk", "x5u", "x5c", "crit"})
PUBLIC_KEY_ALGORITHMS = frozenset(ALGORITHMS.values())
HMAC_ALGORITHM = "HS256"
USER_ROLE = "authenticated"


class TokenVerifier:
    """JWTs of one issuer for one audience; the key decides the algorithm (RFC 8725, 3.1).

    The secret, where there is one, is for HS256 tokens whose key id is no public key's: Supabase's legacy ones.
    """

    def __init__(
        self,
        keys: KeySource,
        issuer: str,
        audience: str,
        metrics: Metrics,
        *,
        secret: bytes | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._secret = secret_key(secret) if secret is not None else None
        self._issuer = issuer
        self._audience = audience
        self._metrics = metrics
        self._clock = clock
        self._verified = VerifiedTokens()

    async def verify(self, token: str) -> Caller:
        """Raises an auth error, or `KeysUnavailableError`."""
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise UnauthenticatedError(f"The token has more than {MAX_TOKEN_CHARACTERS} characters.")
        if not token.isascii():
            raise UnauthenticatedError("The token is not valid: it is malformed.")
        verified = self._verified.find(self._keys.current(), token)
        if verified is None:
            with self._metrics.stage("auth"):
                verified = await self._verify_anew(token)
        if verified.expires_at + LEEWAY_SECONDS <= self._clock():
            raise TokenExpiredError("The token has expired.")
        return verified.caller

    async def check(self) -> None:
        """Fills the readiness probe. Raises `KeysUnavailableError` while there have never been any keys."""
        await self._keys.check()

    async def _verify_anew(self, token: str) -> Verified:
        try:
            keys, key = await self._key_for(jwt.get_unverified_header(token))
            claims = self._decode(token, key)
            verified = Verified(caller_of(claims), int(claims["exp"]))
        except jwt.ExpiredSignatureError as error:
            raise TokenExpiredError("The token has expired.") from error
        except (jwt.PyJWTError, RecursionError, OverflowError) as error:
            raise UnauthenticatedError(f"The token is not valid: {reason(error)}") from error
        self._verified.add(keys, token, verified)
        return verified

    async def _key_for(self, header: dict[str, Any]) -> tuple[Mapping[str, PyJWK], PyJWK]:
        """The key, and the key set it was looked up in."""
        if FORBIDDEN_HEADERS & header.keys():
            raise jwt.InvalidTokenError("its header has a field that is not accepted.")
        keys, key_id, algorithm = self._keys.current(), header.get("kid", ""), str(header.get("alg"))
        key = keys.get(key_id)
        if key is None and algorithm == HMAC_ALGORITHM:
            key = self._secret
        elif key is None and key_id and algorithm in PUBLIC_KEY_ALGORITHMS:
            await self._keys.renew()
            keys = self._keys.current()
            key = keys.get(key_id)
        if key is None:
            raise jwt.InvalidTokenError("its key is unknown.")
        return keys, key

    def _decode(self, token: str, key: PyJWK) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            issuer=self._issuer,
            audience=self._audience,
            leeway=LEEWAY_SECONDS,
            options={"require": REQUIRED_CLAIMS},
        )


def secret_key(secret: bytes) -> PyJWK:
    encoded = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
    return PyJWK({"kty": "oct", "k": encoded}, HMAC_ALGORITHM)


def reason(error: Exception) -> str:
    """PyJWT's sentence says what is wrong with a claim; of what is no token it tells how Python failed to read it."""
    is_readable = isinstance(error, jwt.InvalidSignatureError) or not isinstance(error, jwt.DecodeError)
    return str(error) if isinstance(error, jwt.PyJWTError) and is_readable else "it is malformed."


def caller_of(claims: dict[str, Any]) -> Caller:
    subject = parse_uuid(claims["sub"])
    if subject is None:
        raise UnauthenticatedError("The token is not valid: its sub is no UUID.")
    if claims["role"] != USER_ROLE:
        raise RoleForbiddenError(f"Only the role {USER_ROLE} may ask.")
    return Caller(subject, json_for_database(claims))


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
