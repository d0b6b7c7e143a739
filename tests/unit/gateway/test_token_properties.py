"""Whatever arrives as a token, it names a caller or is an auth error."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from jwt import PyJWK, PyJWS

from frond.types import ErrorCategory
from gateway.auth.bearer import identify
from gateway.auth.service import TokenVerifier
from gateway.errors import GatewayError
from gateway.metrics import Metrics
from tests.gateways import AUDIENCE, ISSUER, SigningKey, claims_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from gateway.auth.protocols import Caller

KEY = SigningKey()
SECRET = b"a legacy secret of more than 32 bytes"
signer = PyJWS()  # signs what is no set of claims too

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
headers = st.dictionaries(
    st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "x"]),
    st.sampled_from(["none", "HS256", "ES256", KEY.key_id]) | json_values,
)
claims = st.dictionaries(
    st.sampled_from(["sub", "iss", "aud", "exp", "nbf", "iat", "role", "jti", "email"]), json_values
)


class OneKey:
    """A set of one key."""

    def __init__(self) -> None:
        self._keys = {KEY.key_id: PyJWK(KEY.jwk(), "ES256")}

    def current(self) -> Mapping[str, PyJWK]:
        return self._keys

    async def renew(self) -> None: ...

    async def check(self) -> None: ...


def verifier() -> TokenVerifier:
    return TokenVerifier(OneKey(), ISSUER, AUDIENCE, Metrics(), secret=SECRET)


async def category_of(judging: Awaitable[Caller]) -> ErrorCategory | None:
    """Anything but a `GatewayError` passes through, and fails the test."""
    try:
        await judging
    except GatewayError as error:
        return error.category
    return None


def segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@given(st.text() | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*"))
async def test_arbitrary_text_is_refused(text: str) -> None:
    assert await category_of(verifier().verify(text)) is ErrorCategory.AUTH


@given(headers, claims | json_values, st.binary(max_size=70))
async def test_arbitrary_parts_are_refused(header: dict[str, Any], payload: Any, signature: bytes) -> None:
    token = ".".join(map(segment, (json.dumps(header).encode(), json.dumps(payload).encode(), signature)))
    assert await category_of(verifier().verify(token)) is ErrorCategory.AUTH


@given(claims.map(lambda changes: claims_of() | changes) | json_values)
async def test_a_well_signed_payload_names_a_caller_or_is_refused(payload: Any) -> None:
    content = json.dumps(payload).encode()
    for token in (
        signer.encode(content, KEY.private, "ES256", {"kid": KEY.key_id}),
        signer.encode(content, SECRET, "HS256"),
    ):
        assert await category_of(verifier().verify(token)) in {None, ErrorCategory.AUTH}


@given(st.lists(st.binary(max_size=50), max_size=3))
async def test_arbitrary_headers_are_refused(values: list[bytes]) -> None:
    judging = identify([(b"authorization", value) for value in values], verifier())
    assert await category_of(judging) is ErrorCategory.AUTH
