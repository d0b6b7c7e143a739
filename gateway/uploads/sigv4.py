"""AWS Signature Version 4 (header and query form) with botocore's signers alone: no clients, no service models."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMESTAMP = "%Y%m%dT%H%M%SZ"


class QueryAuth(S3SigV4QueryAuth):  # type: ignore[misc]  # botocore has no types
    """botocore's, at a time that is given: to verify a URL is to sign it once more."""

    def sign(self, request: Any, timestamp: str) -> str:
        request.context["timestamp"] = timestamp
        self._modify_request_before_signing(request)
        signature = self.signature(self.string_to_sign(request, self.canonical_request(request)), request)
        self._inject_signature_to_request(request, signature)
        return str(request.url)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs with one access key: its id and its secret."""

    key: tuple[str, ...]
    region: str

    def url(self, method: str, url: str, headers: Mapping[str, str], *, seconds: int, timestamp: str) -> str:
        """The URL with its signature, which binds all of `headers`: they must be sent as they are."""
        request = AWSRequest(method, url, headers=dict(headers))
        return QueryAuth(Credentials(*self.key), "s3", self.region, seconds).sign(request, timestamp)

    def headers(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> dict[str, str]:
        """All headers of a request that is sent at once."""
        request = AWSRequest(method, url, headers=dict(headers), data=content)
        S3SigV4Auth(Credentials(*self.key), "s3", self.region).add_auth(request)
        return {name: str(value) for name, value in request.headers.items()}


def now() -> str:
    return time.strftime(TIMESTAMP, time.gmtime())
