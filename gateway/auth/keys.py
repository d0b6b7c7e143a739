"""Public keys from a JWKS file (RFC 7517), read again when the file changes."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from jwt import PyJWK
from jwt.exceptions import PyJWTError

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

# The one algorithm of each kind of key (RFC 7518, 3.1): a token cannot choose another. Secrets (`oct`) are not served.
ALGORITHMS = {("EC", "P-256"): "ES256", ("RSA", None): "RS256"}


class KeySetError(Exception):
    """A key set that cannot be used; the message names the file and the key."""


class FileKeySet:
    """The keys of one file. A broken new version, or none, is reported once and the old keys stay."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version = self._stat()
        self._keys = read_keys(path)

    def find(self, key_id: str) -> PyJWK | None:
        if (version := self._stat()) != self._version:
            self._version = version
            try:
                self._keys = read_keys(self._path)
            except (OSError, KeySetError):
                logger.warning("the key set cannot be read; the old keys stay", exc_info=True)
        return self._keys.get(key_id)

    def _stat(self) -> tuple[int, int, int] | None:
        """None while there is no such file."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns


def read_keys(path: Path) -> dict[str, PyJWK]:
    """By key id. Keys for encryption or of another kind are left out; a private key is an error."""
    try:
        entries = json.loads(path.read_text())["keys"]
        return {entry["kid"]: key for entry in entries if (key := read_key(path, entry)) is not None}
    except (ValueError, TypeError, KeyError, AttributeError, PyJWTError) as error:
        raise KeySetError(f"{path} is no JWKS: {error!r}") from error


def read_key(path: Path, entry: dict[str, Any]) -> PyJWK | None:
    if "d" in entry:
        raise KeySetError(f"{path}: key {entry['kid']!r} is a private key, which has no place in a key set")
    algorithm = ALGORITHMS.get((entry["kty"], entry.get("crv")))
    if algorithm is None or entry.get("alg", algorithm) != algorithm or entry.get("use", "sig") != "sig":
        return None
    return PyJWK(entry, algorithm)
