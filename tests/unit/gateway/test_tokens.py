"""Which bearer tokens name a caller, and which are refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gateway.auth.bearer import identify
from gateway.auth.keys import FileKeySet, NoKeySet
from gateway.auth.service import LEEWAY_SECONDS, MAX_TOKEN_CHARACTERS, TokenVerifier
from gateway.errors import RoleForbiddenError, TokenExpiredError, UnauthenticatedError
from gateway.metrics import Metrics
from tests.gateways import ALICE, AUDIENCE, BOB, ISSUER, SigningKey, claims_of, write_keys

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.auth.protocols import KeySource

KEY = SigningKey()
SECOND = timedelta(seconds=1)


SECRET = b"a legacy secret of more than 32 bytes"


def verifier_of(keys: KeySource, secret: bytes | None = None) -> TokenVerifier:
    return TokenVerifier(keys, ISSUER, AUDIENCE, Metrics(), secret=secret)


@pytest.fixture(params=[None, SECRET], ids=["keys", "keys and a secret"])
def verifier(tmp_path: Path, request: pytest.FixtureRequest) -> TokenVerifier:
    return verifier_of(FileKeySet(write_keys(tmp_path / "jwks.json", KEY)), request.param)


def segment(content: Any) -> str:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed_with_the_public_key(**header: str) -> str:
    """HS256 with the public key's text as the secret: the confusion of RFC 8725, 2.1."""
    public = KEY.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    message = f"{segment({'alg': 'HS256', **header})}.{segment(claims_of())}"
    return f"{message}.{segment(hmac.new(public, message.encode(), hashlib.sha256).digest())}"


async def test_a_good_token_names_the_caller_with_all_claims(verifier: TokenVerifier) -> None:
    caller = await verifier.verify(KEY.token(ALICE, email="a@example.org"))
    assert caller.user_id == ALICE
    assert json.loads(caller.claims)["email"] == "a@example.org"


async def test_one_of_several_audiences_suffices(verifier: TokenVerifier) -> None:
    assert (await verifier.verify(KEY.token(aud=["another", AUDIENCE]))).user_id == ALICE


@pytest.mark.parametrize(
    ("algorithm", "private"),
    [
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("RS256", rsa.generate_private_key(65537, 2048)),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
    ],
)
async def test_a_token_of_each_kind_of_public_key_is_accepted(tmp_path: Path, algorithm: str, private: Any) -> None:
    jwk = jwt.get_algorithm_by_name(algorithm).to_jwk(private.public_key(), as_dict=True)
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [{**jwk, "kid": "one"}]}))
    verifier = verifier_of(FileKeySet(tmp_path / "jwks.json"))
    assert (await verifier.verify(jwt.encode(claims_of(BOB), private, algorithm, {"kid": "one"}))).user_id == BOB


@pytest.mark.parametrize("token", ["x", "a.b", "a.b.c", "abc.def.ghi", "e30.e30", "====.e30.e30"])
async def test_what_is_no_token_is_malformed_and_no_word_of_python_s_is_told(
    verifier: TokenVerifier, token: str
) -> None:
    with pytest.raises(UnauthenticatedError, match=r"^The token is not valid: it is malformed\.$"):
        await verifier.verify(token)


@pytest.mark.parametrize("headers", [{}, {"kid": "legacy"}], ids=["no kid", "unknown kid"])
async def test_the_secret_is_for_tokens_of_no_public_key(tmp_path: Path, headers: dict[str, str]) -> None:
    verifier = verifier_of(FileKeySet(write_keys(tmp_path / "jwks.json", KEY)), SECRET)
    assert (await verifier.verify(jwt.encode(claims_of(BOB), SECRET, "HS256", headers))).user_id == BOB
    assert (await verifier.verify(KEY.token(ALICE))).user_id == ALICE


async def test_a_secret_alone_suffices() -> None:
    verifier = verifier_of(NoKeySet(), SECRET)
    assert (await verifier.verify(jwt.encode(claims_of(), SECRET, "HS256"))).user_id == ALICE
    with pytest.raises(UnauthenticatedError, match="key is unknown"):
        await verifier.verify(KEY.token())


async def test_without_a_secret_hs256_is_refused(tmp_path: Path) -> None:
    verifier = verifier_of(FileKeySet(write_keys(tmp_path / "jwks.json", KEY)))
    with pytest.raises(UnauthenticatedError, match="key is unknown"):
        await verifier.verify(jwt.encode(claims_of(), SECRET, "HS256"))


async def test_the_secret_does_not_open_a_public_key_s_id(tmp_path: Path) -> None:
    verifier = verifier_of(FileKeySet(write_keys(tmp_path / "jwks.json", KEY)), SECRET)
    with pytest.raises(UnauthenticatedError, match="alg"):
        await verifier.verify(jwt.encode(claims_of(), SECRET, "HS256", {"kid": KEY.key_id}))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
async def test_the_secret_is_used_with_one_algorithm(algorithm: str) -> None:
    secret = SECRET * 2
    with pytest.raises(UnauthenticatedError):
        await verifier_of(NoKeySet(), secret).verify(jwt.encode(claims_of(), secret, algorithm))


async def test_a_token_of_another_secret_is_refused() -> None:
    with pytest.raises(UnauthenticatedError, match="Signature"):
        await verifier_of(NoKeySet(), SECRET).verify(jwt.encode(claims_of(), SECRET[::-1], "HS256"))


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"exp": -(LEEWAY_SECONDS + 5) * SECOND}, TokenExpiredError),
        ({"nbf": (LEEWAY_SECONDS + 60) * SECOND}, UnauthenticatedError),
        ({"iat": (LEEWAY_SECONDS + 60) * SECOND}, UnauthenticatedError),
        ({"iss": "https://another.test"}, UnauthenticatedError),
        ({"aud": "anon"}, UnauthenticatedError),
        ({"aud": []}, UnauthenticatedError),
        ({"sub": "alice"}, UnauthenticatedError),
        ({"sub": "{a11ce000-0000-4000-8000-000000000001}"}, UnauthenticatedError),
        ({"sub": 7}, UnauthenticatedError),
        ({"exp": "soon"}, UnauthenticatedError),
        ({"role": "service_role"}, RoleForbiddenError),
        ({"role": "anon"}, RoleForbiddenError),
        ({"role": ["authenticated"]}, RoleForbiddenError),
        *(({claim: None}, UnauthenticatedError) for claim in ("exp", "iss", "aud", "sub", "role")),
    ],
    ids=str,
)
async def test_a_token_with_a_bad_claim_is_refused(
    verifier: TokenVerifier, claims: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as raised:
        await verifier.verify(KEY.token(**claims))
    assert type(raised.value) is error


@pytest.mark.parametrize("claims", [{"exp": -10 * SECOND}, {"nbf": 15 * SECOND}, {"nbf": -5 * SECOND}], ids=str)
async def test_clocks_may_differ_by_the_leeway(verifier: TokenVerifier, claims: dict[str, Any]) -> None:
    assert (await verifier.verify(KEY.token(**claims))).user_id == ALICE


@pytest.mark.parametrize(
    "header",
    [
        {"jku": "https://evil.test/keys"},
        {"x5u": "https://evil.test/certificate"},
        {"jwk": SigningKey("first").jwk()},
        {"x5c": ["MIIB"]},
        {"crit": ["x"], "x": 1},
    ],
    ids=lambda header: next(iter(header)),
)
async def test_a_header_that_brings_its_own_key_is_refused(verifier: TokenVerifier, header: dict[str, Any]) -> None:
    with pytest.raises(UnauthenticatedError, match=r"header has a field|extension"):
        await verifier.verify(KEY.sign(claims_of(), **header))


async def test_a_token_of_an_unknown_key_is_refused(verifier: TokenVerifier) -> None:
    with pytest.raises(UnauthenticatedError, match="key is unknown"):
        await verifier.verify(SigningKey("another").token())


async def test_a_token_of_another_key_under_a_known_id_is_refused(verifier: TokenVerifier) -> None:
    with pytest.raises(UnauthenticatedError, match="Signature"):
        await verifier.verify(SigningKey("first").token())


async def test_a_token_without_a_key_id_is_refused(verifier: TokenVerifier) -> None:
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(jwt.encode(claims_of(), KEY.private, "ES256"))


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "none", "kid": "first"}, {"alg": "None", "kid": "first"}])
async def test_the_algorithm_none_is_refused(verifier: TokenVerifier, header: dict[str, str]) -> None:
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(f"{segment(header)}.{segment(claims_of())}.")


@pytest.mark.parametrize("header", [{}, {"kid": "first"}, {"kid": "another"}], ids=str)
async def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(
    verifier: TokenVerifier, header: dict[str, str]
) -> None:
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(signed_with_the_public_key(**header))


async def test_an_oversized_token_is_refused_unread(verifier: TokenVerifier) -> None:
    with pytest.raises(UnauthenticatedError, match="characters"):
        await verifier.verify(KEY.token(padding="x" * MAX_TOKEN_CHARACTERS))


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "a.b",
        "a.b.c",
        "....",
        "\x00.\x00.\x00",
        segment(b"[" * 5000) + ".e30.",
        segment([]) + ".e30.AA",
        "é.é.é",
        "\ud800.e30.AA",
    ],
    ids=ascii,
)
async def test_what_is_no_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(token[:MAX_TOKEN_CHARACTERS])


@pytest.mark.parametrize(
    "values",
    [("Bearer {token}", "Bearer {token}"), ("Bearer {token}, Bearer {token}",), ("Bearer {token} {token}",)],
    ids=["two headers", "a list", "a space"],
)
async def test_two_tokens_are_refused(verifier: TokenVerifier, values: tuple[str, ...]) -> None:
    headers = [(b"authorization", value.format(token=KEY.token()).encode()) for value in values]
    with pytest.raises(UnauthenticatedError, match="one Authorization header"):
        await identify(headers, verifier)


async def test_the_scheme_is_known_in_any_case(verifier: TokenVerifier) -> None:
    assert (await identify([(b"authorization", b"bEARER " + KEY.token().encode())], verifier)).user_id == ALICE


async def test_a_changed_payload_is_refused(verifier: TokenVerifier) -> None:
    header, _, signature = KEY.token().split(".")
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(f"{header}.{segment(claims_of(BOB))}.{signature}")


async def test_another_curve_cannot_be_passed_off_as_es256(verifier: TokenVerifier) -> None:
    other = jwt.encode(claims_of(), ec.generate_private_key(ec.SECP384R1()), "ES384", {"kid": "first"})
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(other)


async def test_no_message_repeats_the_token(verifier: TokenVerifier) -> None:
    token = SigningKey("first").token()
    with pytest.raises(UnauthenticatedError) as raised:
        await verifier.verify(token)
    assert all(part not in str(raised.value) for part in token.split("."))


async def test_the_uuid_of_a_caller_is_the_same_in_any_case(verifier: TokenVerifier) -> None:
    assert (await verifier.verify(KEY.token(sub=str(ALICE).upper()))).user_id == UUID(str(ALICE))
