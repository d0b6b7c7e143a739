"""Which bearer tokens name a caller, and which are refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.auth.keys import FileKeySet, KeySetError
from gateway.auth.service import LEEWAY_SECONDS, MAX_TOKEN_CHARACTERS, TokenVerifier
from gateway.errors import RoleForbiddenError, TokenExpiredError, UnauthenticatedError
from tests.gateways import ALICE, AUDIENCE, BOB, ISSUER, SigningKey, claims_of, write_keys

if TYPE_CHECKING:
    from pathlib import Path

KEY = SigningKey()
SECOND = timedelta(seconds=1)


@pytest.fixture
def verifier(tmp_path: Path) -> TokenVerifier:
    return TokenVerifier(FileKeySet(write_keys(tmp_path / "jwks.json", KEY)), ISSUER, AUDIENCE)


def segment(content: Any) -> str:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed_with_the_public_key() -> str:
    """HS256 with the public key's text as the secret: the confusion of RFC 8725, 2.1."""
    public = KEY.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    message = f"{segment({'alg': 'HS256', 'kid': 'first'})}.{segment(claims_of())}"
    return f"{message}.{segment(hmac.new(public, message.encode(), hashlib.sha256).digest())}"


def test_a_good_token_names_the_caller_with_all_claims(verifier: TokenVerifier) -> None:
    caller = verifier.verify(KEY.token(ALICE, email="a@example.org"))
    assert caller.user_id == ALICE
    assert json.loads(caller.claims)["email"] == "a@example.org"


def test_one_of_several_audiences_suffices(verifier: TokenVerifier) -> None:
    assert verifier.verify(KEY.token(aud=["another", AUDIENCE])).user_id == ALICE


def test_a_token_of_rs256_is_accepted(tmp_path: Path) -> None:
    private = rsa.generate_private_key(65537, 2048)
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [{**jwk, "kid": "rsa"}]}))
    verifier = TokenVerifier(FileKeySet(tmp_path / "jwks.json"), ISSUER, AUDIENCE)
    assert verifier.verify(jwt.encode(claims_of(BOB), private, "RS256", {"kid": "rsa"})).user_id == BOB


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
def test_a_token_with_a_bad_claim_is_refused(
    verifier: TokenVerifier, claims: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as raised:
        verifier.verify(KEY.token(**claims))
    assert type(raised.value) is error


@pytest.mark.parametrize("claims", [{"exp": -10 * SECOND}, {"nbf": 15 * SECOND}, {"nbf": -5 * SECOND}], ids=str)
def test_clocks_may_differ_by_the_leeway(verifier: TokenVerifier, claims: dict[str, Any]) -> None:
    assert verifier.verify(KEY.token(**claims)).user_id == ALICE


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c", "crit"])
def test_a_header_that_brings_its_own_key_is_refused(verifier: TokenVerifier, name: str) -> None:
    value = [] if name in {"x5c", "crit"} else "https://evil.test/keys"
    with pytest.raises(UnauthenticatedError):
        verifier.verify(KEY.sign(claims_of(), **{name: value}))


def test_a_token_of_an_unknown_key_is_refused(verifier: TokenVerifier) -> None:
    with pytest.raises(UnauthenticatedError, match="key is unknown"):
        verifier.verify(SigningKey("another").token())


def test_a_token_of_another_key_under_a_known_id_is_refused(verifier: TokenVerifier) -> None:
    with pytest.raises(UnauthenticatedError, match="Signature"):
        verifier.verify(SigningKey("first").token())


def test_a_token_without_a_key_id_is_refused(verifier: TokenVerifier) -> None:
    with pytest.raises(UnauthenticatedError):
        verifier.verify(jwt.encode(claims_of(), KEY.private, "ES256"))


def test_the_algorithm_none_is_refused(verifier: TokenVerifier) -> None:
    with pytest.raises(UnauthenticatedError):
        verifier.verify(f"{segment({'alg': 'none', 'kid': 'first'})}.{segment(claims_of())}.")


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(verifier: TokenVerifier) -> None:
    with pytest.raises(UnauthenticatedError):
        verifier.verify(signed_with_the_public_key())


def test_an_oversized_token_is_refused_unread(verifier: TokenVerifier) -> None:
    with pytest.raises(UnauthenticatedError, match="characters"):
        verifier.verify(KEY.token(padding="x" * MAX_TOKEN_CHARACTERS))


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
    ],
    ids=ascii,
)
def test_what_is_no_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(UnauthenticatedError):
        verifier.verify(token[:MAX_TOKEN_CHARACTERS])


def test_a_changed_payload_is_refused(verifier: TokenVerifier) -> None:
    header, _, signature = KEY.token().split(".")
    with pytest.raises(UnauthenticatedError):
        verifier.verify(f"{header}.{segment(claims_of(BOB))}.{signature}")


def test_a_new_key_in_the_file_is_accepted_and_an_old_one_gone(tmp_path: Path) -> None:
    path = write_keys(tmp_path / "jwks.json", KEY)
    verifier = TokenVerifier(FileKeySet(path), ISSUER, AUDIENCE)
    new = SigningKey("second")
    write_keys(path, new)
    assert verifier.verify(new.token()).user_id == ALICE
    with pytest.raises(UnauthenticatedError):
        verifier.verify(KEY.token())


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", '{"keys": [{}]}', '{"keys": [1]}'])
def test_a_broken_file_leaves_the_old_keys(tmp_path: Path, content: str) -> None:
    path = write_keys(tmp_path / "jwks.json", KEY)
    verifier = TokenVerifier(FileKeySet(path), ISSUER, AUDIENCE)
    path.write_text(content)
    assert verifier.verify(KEY.token()).user_id == ALICE
    with pytest.raises(KeySetError):
        FileKeySet(path)


def test_a_file_that_is_gone_leaves_the_old_keys(tmp_path: Path) -> None:
    path = write_keys(tmp_path / "jwks.json", KEY)
    verifier = TokenVerifier(FileKeySet(path), ISSUER, AUDIENCE)
    path.unlink()
    assert verifier.verify(KEY.token()).user_id == ALICE


def test_a_file_that_is_gone_is_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_keys(tmp_path / "jwks.json", KEY)
    keys = FileKeySet(path)
    path.unlink()
    for _ in range(3):
        assert keys.find("first")
    assert len(caplog.records) == 1
    write_keys(path, SigningKey("second"))
    assert keys.find("first") is None


def test_a_private_key_has_no_place_in_the_file(tmp_path: Path) -> None:
    private = jwt.algorithms.ECAlgorithm.to_jwk(KEY.private, as_dict=True)
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [{**private, "kid": "first"}]}))
    with pytest.raises(KeySetError, match="private key"):
        FileKeySet(tmp_path / "jwks.json")


@pytest.mark.parametrize(
    "change",
    [{"alg": "ES384"}, {"use": "enc"}, {"kty": "oct", "k": segment(os.urandom(32))}, {"crv": "P-384"}],
    ids=str,
)
def test_keys_of_other_kinds_are_left_out(tmp_path: Path, change: dict[str, str]) -> None:
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [KEY.jwk() | change]}))
    assert FileKeySet(tmp_path / "jwks.json").find("first") is None


def test_another_curve_cannot_be_passed_off_as_es256(verifier: TokenVerifier) -> None:
    other = jwt.encode(claims_of(), ec.generate_private_key(ec.SECP384R1()), "ES384", {"kid": "first"})
    with pytest.raises(UnauthenticatedError):
        verifier.verify(other)


def test_no_message_repeats_the_token(verifier: TokenVerifier) -> None:
    token = SigningKey("first").token()
    with pytest.raises(UnauthenticatedError) as raised:
        verifier.verify(token)
    assert all(part not in str(raised.value) for part in token.split("."))


def test_the_uuid_of_a_caller_is_the_same_in_any_case(verifier: TokenVerifier) -> None:
    assert verifier.verify(KEY.token(sub=str(ALICE).upper())).user_id == UUID(str(ALICE))
