"""Which keys of a JWKS document are used, and how a file of them is followed."""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from gateway.auth.keys import FileKeySet, KeySetError, read_keys
from tests.gateways import SigningKey, write_keys

if TYPE_CHECKING:
    from pathlib import Path

KEY = SigningKey()
PRIVATE = {**jwt.algorithms.ECAlgorithm.to_jwk(KEY.private, as_dict=True), "kid": "first"}
ED25519 = jwt.algorithms.OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate().public_key(), as_dict=True)


def document(*entries: Any) -> bytes:
    return json.dumps({"keys": entries}).encode()


def rsa_jwk(bits: int) -> dict[str, Any]:
    jwk: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(
        rsa.generate_private_key(65537, bits).public_key(), as_dict=True
    )
    return {**jwk, "kid": "rsa"}


@pytest.mark.parametrize(
    ("entry", "algorithm"),
    [(KEY.jwk(), "ES256"), (rsa_jwk(2048), "RS256"), ({**ED25519, "kid": "ed"}, "EdDSA")],
    ids=["EC", "RSA", "OKP"],
)
def test_the_kind_of_a_key_decides_its_algorithm(entry: dict[str, Any], algorithm: str) -> None:
    assert read_keys(document(entry)).keys[entry["kid"]].algorithm_name == algorithm


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "ES384"},
        {"alg": "HS256"},
        {"use": "enc"},
        {"kty": "oct", "k": urlsafe_b64encode(os.urandom(32)).decode()},
        {"crv": "P-384"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_keys_of_other_kinds_are_left_out_without_a_word(change: dict[str, str]) -> None:
    key_set = read_keys(document(KEY.jwk() | change))
    assert (key_set.keys, key_set.faults) == ({}, ())


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (PRIVATE | {"kid": "leaked"}, "key 2 ('leaked') is a private key"),
        (rsa_jwk(1024), "key 2 ('rsa') has 1024 bits"),
        (KEY.jwk() | {"kid": "odd", "x": "AA"}, "key 2 ('odd') is malformed"),
        (KEY.jwk() | {"kid": 7}, "key 2 has no kid"),
        (7, "key 2 has no kid"),
    ],
    ids=["private", "short", "malformed", "kid of another type", "no object"],
)
def test_a_bad_key_is_named_and_does_not_spoil_the_others(entry: Any, fault: str) -> None:
    key_set = read_keys(document(KEY.jwk(), entry))
    assert list(key_set.keys) == ["first"]
    assert [text for text in key_set.faults if text.startswith(fault)] == list(key_set.faults) != []


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"{}", b"[]", b"\xff", b'{"keys": 1}', b'{"keys": [{}]}', b'{"keys": [1]}', b"[" * 100_000],
    ids=lambda content: repr(content[:20]),
)
def test_what_is_no_key_set_is_an_error(content: bytes) -> None:
    with pytest.raises(KeySetError):
        read_keys(content)


def test_a_key_whose_private_half_is_published_proves_nothing_any_more() -> None:
    assert read_keys(document(PRIVATE)).keys == {}


def test_a_file_with_a_fault_is_an_error_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_bytes(document(KEY.jwk(), PRIVATE | {"kid": "leaked"}))
    with pytest.raises(KeySetError, match="private key"):
        FileKeySet(tmp_path / "jwks.json")


def test_a_new_key_in_the_file_counts_at_once_and_an_old_one_is_gone(tmp_path: Path) -> None:
    path = write_keys(tmp_path / "jwks.json", KEY)
    keys = FileKeySet(path)
    write_keys(path, SigningKey("second"))
    assert list(keys.current()) == ["second"]


def test_a_file_that_does_not_change_leaves_the_mapping_as_it_is(tmp_path: Path) -> None:
    keys = FileKeySet(write_keys(tmp_path / "jwks.json", KEY))
    assert keys.current() is keys.current()


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", '{"keys": [{}]}', '{"keys": [1]}'])
def test_a_broken_file_leaves_the_old_keys(tmp_path: Path, content: str) -> None:
    path = write_keys(tmp_path / "jwks.json", KEY)
    keys = FileKeySet(path)
    path.write_text(content)
    assert list(keys.current()) == ["first"]
    with pytest.raises(KeySetError):
        FileKeySet(path)


def test_a_file_that_is_gone_is_reported_once_and_leaves_the_old_keys(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_keys(tmp_path / "jwks.json", KEY)
    keys = FileKeySet(path)
    path.unlink()
    for _ in range(3):
        assert list(keys.current()) == ["first"]
    assert len(caplog.records) == 1
    write_keys(path, SigningKey("second"))
    assert list(keys.current()) == ["second"]
