"""Which keys of a JWKS document (RFC 7517) may be used, and the keys of a file, read again when it changes."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jwt import PyJWK
from jwt.exceptions import PyJWTError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

logger = logging.getLogger(__name__)

# The one algorithm of each kind of key (RFC 7518, 3.1; RFC 8037, 3.1): a token cannot choose another. Secrets (`oct`)
# are no public keys.
ALGORITHMS = {("EC", "P-256"): "ES256", ("RSA", None): "RS256", ("OKP", "Ed25519"): "EdDSA"}
MIN_RSA_BITS = 2048  # RFC 7518, 3.3


class KeySetError(Exception):
    """A key, or a set of them, that cannot be used; the message says which."""


class PrivateKeyError(KeySetError):
    """A key that everybody may know by now: from here on it proves nothing."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys by their id, and what is wrong with others. Keys of another kind or use are no fault."""

    keys: Mapping[str, PyJWK]
    faults: tuple[str, ...]


class FileKeySet:
    """The keys of one file. A fault at the start is an error; later on, what can be used is used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version = self._stat()
        try:
            key_set = read_keys(path.read_bytes())
        except KeySetError as error:
            raise KeySetError(f"{path}: {error}") from error
        if key_set.faults:
            raise KeySetError(f"{path}: {'; '.join(key_set.faults)}")
        self._keys = key_set.keys

    def current(self) -> Mapping[str, PyJWK]:
        """A broken new version, or none, is reported once and the old keys stay."""
        if (version := self._stat()) != self._version:
            self._version = version
            try:
                self._keys = report_faults(read_keys(self._path.read_bytes()))
            except (OSError, KeySetError):
                logger.warning("the key set cannot be read; the old keys stay", exc_info=True)
        return self._keys

    async def renew(self) -> None:
        """`current` sees each change at once."""

    async def check(self) -> None:
        """There are keys from the start."""

    def _stat(self) -> tuple[int, int, int] | None:
        """None while there is no such file."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns


class NoKeySet:
    """Where a secret alone is configured."""

    def __init__(self) -> None:
        self._keys: Mapping[str, PyJWK] = {}

    def current(self) -> Mapping[str, PyJWK]:
        return self._keys

    async def renew(self) -> None: ...

    async def check(self) -> None: ...


def report_faults(key_set: KeySet) -> Mapping[str, PyJWK]:
    for fault in key_set.faults:
        logger.error("a key of the key set is not used: %s", fault)
    return key_set.keys


def read_keys(document: bytes) -> KeySet:
    """What can be used of a document (RFC 7517, 5: odd keys are passed over). Raises KeySetError if nothing can."""
    try:
        entries = json.loads(document)["keys"]
        results = [(number, read_key_or_fault(entry)) for number, entry in enumerate(entries, 1)]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise KeySetError(f"no JWKS: {error!r}") from error
    keys = {key.key_id: key for _, key in results if isinstance(key, PyJWK) and key.key_id is not None}
    faults = [(number, fault) for number, fault in results if isinstance(fault, KeySetError)]
    texts = tuple(f"key {number} {fault}" for number, fault in faults)
    if faults and not keys and not any(isinstance(fault, PrivateKeyError) for _, fault in faults):
        raise KeySetError("; ".join(texts))
    return KeySet(keys, texts)


def read_key_or_fault(entry: Any) -> PyJWK | KeySetError | None:
    try:
        return read_key(entry)
    except KeySetError as error:
        return error


def read_key(entry: Any) -> PyJWK | None:
    """None for one of another kind, or for encryption."""
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str):
        raise KeySetError("has no kid")
    if "d" in entry:
        raise PrivateKeyError(f"({entry['kid']!r}) is a private key, which has no place in a key set")
    try:
        algorithm = ALGORITHMS.get((entry["kty"], entry.get("crv")))
        if algorithm is None or entry.get("alg", algorithm) != algorithm or entry.get("use", "sig") != "sig":
            return None
        key = PyJWK(entry, algorithm)
    except (ValueError, TypeError, KeyError, AttributeError, PyJWTError) as error:
        raise KeySetError(f"({entry['kid']!r}) is malformed") from error
    if algorithm == "RS256" and key.key.key_size < MIN_RSA_BITS:
        raise KeySetError(f"({entry['kid']!r}) has {key.key.key_size} bits; RSA needs {MIN_RSA_BITS}")
    return key
