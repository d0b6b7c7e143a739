"""URLs that the gateway signs itself: who holds one may do this one thing with this one photo until it expires."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import parse_qs, urlencode

from gateway.errors import UrlExpiredError, UrlSignatureError

if TYPE_CHECKING:
    from gateway.uploads.protocols import ObjectPath

Method = Literal["PUT", "GET"]
MAX_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Grant:
    """What a signature binds: method, path (user, SHA-256 and type), size, and the end in seconds since 1970."""

    method: Method
    path: ObjectPath
    size_bytes: int
    expires_at: int

    @classmethod
    def for_seconds(cls, method: Method, path: ObjectPath, size_bytes: int, seconds: int) -> Self:
        return cls(method, path, size_bytes, int(time.time()) + seconds)

    def message(self) -> bytes:
        """One line each; none can contain a line end, so that no two grants share a message."""
        path = self.path
        lines = ("frond-storage-1", self.method, path, path.sha256, path.content_type, self.size_bytes, self.expires_at)
        return "\n".join(map(str, lines)).encode()


class UrlSigner:
    """HMAC-SHA256 (RFC 2104). The first secret signs; URLs that an earlier one signed stay valid."""

    def __init__(self, secret: bytes, *earlier: bytes) -> None:
        self._secrets = (secret, *earlier)

    def query(self, grant: Grant) -> str:
        signature = signature_of(grant, self._secrets[0])
        return urlencode({"bytes": grant.size_bytes, "expires": grant.expires_at, "signature": signature})

    def verify(self, method: Method, path: ObjectPath, query: str) -> Grant:
        """The grant of a URL. Raises `UrlSignatureError` and `UrlExpiredError`."""
        fields = {name: values[0] for name, values in parse_qs(query).items() if len(values) == 1}
        numbers = [fields.get(name, "") for name in ("bytes", "expires")]
        if not all(text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS for text in numbers):
            raise UrlSignatureError("The URL is not signed.")
        grant = Grant(method, path, int(numbers[0]), int(numbers[1]))
        given = fields.get("signature", "").encode()
        if not any(hmac.compare_digest(signature_of(grant, secret).encode(), given) for secret in self._secrets):
            raise UrlSignatureError("The signature of the URL is not valid.")
        if grant.expires_at < time.time():
            raise UrlExpiredError("The URL has expired. Ask for a new one.")
        return grant


def signature_of(grant: Grant, secret: bytes) -> str:
    digest = hmac.new(secret, grant.message(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
