"""The local runtime's secrets, made once: the key that signs tokens with its public half, and that of upload URLs."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stack.atomic import write_atomically
from stack.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path

    from stack.paths import StatePaths

ISSUER = "https://frond.local"
AUDIENCE = "authenticated"
COORDINATE_BYTES = 32  # of a point on P-256
PUBLIC = 0o644


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An ES256 key pair and its id in the JWKS document."""

    private: ec.EllipticCurvePrivateKey
    kid: str


def prepare(paths: StatePaths) -> None:
    """Make what is missing; keys that exist stay, so that tokens and URLs outlive a restart."""
    paths.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _signing_key_file(paths).exists():
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_atomically(_signing_key_file(paths), pem)
    document = {"keys": [public_jwk(signing_key(paths).private)]}
    write_atomically(paths.keys / "jwks.json", json.dumps(document, indent=2).encode(), PUBLIC)
    secret(paths, "storage-signing-key")


def signing_key(paths: StatePaths) -> SigningKey:
    """The key pair; raises StackError when there is none yet or the file is no P-256 key."""
    file = _signing_key_file(paths)
    try:
        private = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise StackError(f"{file} does not exist yet; `frond up` makes it.") from error
    except ValueError as error:
        raise StackError(f"{file} is damaged; remove it, and `frond up` makes another.") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise StackError(f"{file} is not an ES256 key; remove it, and `frond up` makes another.")
    return SigningKey(private, str(public_jwk(private)["kid"]))


def secret(paths: StatePaths, name: str) -> str:
    """A random, URL-safe secret of 256 bits under that name, made at the first call."""
    file = paths.keys / name
    if not file.exists():
        write_atomically(file, secrets.token_urlsafe(32).encode())
    return file.read_text().strip()


def public_jwk(private: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    """The public half as a JWK (RFC 7517); its id is the RFC 7638 thumbprint, so it follows from the key."""
    numbers = private.public_key().public_numbers()
    point = {"x": _encode(numbers.x.to_bytes(COORDINATE_BYTES)), "y": _encode(numbers.y.to_bytes(COORDINATE_BYTES))}
    members = {"crv": "P-256", "kty": "EC", **point}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return {**members, "alg": "ES256", "use": "sig", "kid": _encode(hashlib.sha256(canonical).digest())}


def _signing_key_file(paths: StatePaths) -> Path:
    return paths.keys / "signing-key.pem"


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
