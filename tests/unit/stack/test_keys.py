"""The local runtime's secrets."""

from __future__ import annotations

import json
from pathlib import Path

import jwt
import pytest

from stack import keys
from stack.errors import StackError
from stack.paths import StatePaths


@pytest.fixture
def paths(tmp_path: Path) -> StatePaths:
    prepared = StatePaths(tmp_path / "state")
    keys.prepare(prepared)
    return prepared


def test_a_token_of_the_signing_key_is_verified_by_the_published_document(paths: StatePaths) -> None:
    key = keys.signing_key(paths)
    token = jwt.encode({"sub": "me"}, key.private, algorithm="ES256", headers={"kid": key.kid})
    published = jwt.PyJWKSet.from_json((paths.keys / "jwks.json").read_text())
    assert jwt.decode(token, published[key.kid], algorithms=["ES256"]) == {"sub": "me"}


def test_the_published_document_holds_nothing_private(paths: StatePaths) -> None:
    (published,) = json.loads((paths.keys / "jwks.json").read_text())["keys"]
    assert set(published) == {"kty", "crv", "x", "y", "alg", "use", "kid"}


def test_secrets_are_for_the_owner_alone(paths: StatePaths) -> None:
    modes = {file.name: file.stat().st_mode & 0o777 for file in paths.keys.iterdir() if file.name != "jwks.json"}
    assert modes == {"signing-key.pem": 0o600, "storage-signing-key": 0o600}
    assert paths.keys.stat().st_mode & 0o777 == 0o700


def test_keys_are_made_once(paths: StatePaths) -> None:
    before = {file.name: file.read_bytes() for file in paths.keys.iterdir()}
    keys.prepare(paths)
    assert {file.name: file.read_bytes() for file in paths.keys.iterdir()} == before


def test_two_state_folders_have_different_keys(paths: StatePaths, tmp_path: Path) -> None:
    other = StatePaths(tmp_path / "other")
    keys.prepare(other)
    assert keys.signing_key(other).kid != keys.signing_key(paths).kid
    assert keys.secret(other, "storage-signing-key") != keys.secret(paths, "storage-signing-key")


def test_a_damaged_key_is_named_with_the_way_out(paths: StatePaths) -> None:
    (paths.keys / "signing-key.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    with pytest.raises(StackError, match=r"signing-key\.pem is damaged; remove it"):
        keys.prepare(paths)


def test_a_key_that_was_never_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="`frond up` makes it"):
        keys.signing_key(StatePaths(tmp_path))
