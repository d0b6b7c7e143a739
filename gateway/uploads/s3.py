"""S3-compatible storage: clients send and fetch photos by presigned URLs, path-style; we sign our own requests."""

from __future__ import annotations

import base64
import calendar
import hashlib
import hmac
import re
import time
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Unpack
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from xml.etree import ElementTree as ET

from pydantic import AnyUrl

from frond.types import UploadTicket
from gateway.errors import StorageUnavailableError, UrlExpiredError, UrlSignatureError
from gateway.uploads import sigv4
from gateway.uploads.protocols import DOWNLOAD_SECONDS, UPLOAD_SECONDS, ObjectPath

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.uploads.remote import Limits, Remote, Reply
    from gateway.uploads.secret_files import SecretFiles

PAGES_A_ROUND = 10  # the next round goes on where this one ends
TIMESTAMP = re.compile(r"\d{8}T\d{6}Z")
SECONDS = re.compile(r"\d{1,6}")
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class S3Storage:
    """Works with every server that verifies signatures; what it verifies beyond the signature spares us the rest."""

    def __init__(
        self, remote: Remote, endpoint: str, bucket: str, region: str, keys: SecretFiles, *, page_objects: int = 1000
    ) -> None:
        self._remote = remote
        self._base_url = f"{endpoint.rstrip('/')}/{bucket}"
        self._region = region
        self._keys = keys
        self._page_objects = page_objects
        self._listed_up_to = ""

    async def ticket(self, path: ObjectPath, size_bytes: int) -> UploadTicket:
        """No `If-None-Match: *`: the name is the hash and the hash is enforced, so that only the same can overwrite."""
        checksum = base64.b64encode(bytes.fromhex(path.sha256)).decode()
        headers = {"Content-Type": path.content_type, "x-amz-checksum-sha256": checksum}
        bound = headers | {"Content-Length": str(size_bytes)}  # every client sends it by itself
        return UploadTicket(
            upload_url=self._presign("PUT", path, bound, UPLOAD_SECONDS),
            upload_headers=headers,
            upload_expires_in_seconds=UPLOAD_SECONDS,
            download_url=self._presign("GET", path, {}, DOWNLOAD_SECONDS),
            download_expires_in_seconds=DOWNLOAD_SECONDS,
        )

    def locate(self, url: str) -> ObjectPath | None:
        return ObjectPath.below(self._base_url, url)

    def verify(self, path: ObjectPath, url: str) -> None:
        """Here and not at the server: what is refused there afterwards is our fault or its own, never the caller's."""
        given = canonical(urlsplit(url).query)
        fields = dict(given)
        timestamp, seconds = fields.get("X-Amz-Date", ""), fields.get("X-Amz-Expires", "")
        if not (TIMESTAMP.fullmatch(timestamp) and SECONDS.fullmatch(seconds)):
            raise UrlSignatureError("The URL is not signed.")
        signers = (sigv4.Signer(key, self._region) for key in self._keys.values())
        place = f"{self._base_url}/{path}"
        if not any(
            is_same(given, signer.url("GET", place, {}, seconds=int(seconds), timestamp=timestamp))
            for signer in signers
        ):
            raise UrlSignatureError("The signature of the URL is not valid.")
        if calendar.timegm(time.strptime(timestamp, sigv4.TIMESTAMP)) + int(seconds) < time.time():
            raise UrlExpiredError("The URL has expired. Ask for a new one.")

    async def read(self, path: ObjectPath, max_bytes: int) -> bytes | None:
        reply = await self._call("GET", f"/{path}", max_bytes=max_bytes)
        if reply.status == 404 and b"NoSuchBucket" not in reply.content:
            return None
        expect_ok(reply)
        return reply.content[: max_bytes + 1]

    async def expire(self, older_than_seconds: float) -> int:
        removed = 0
        before = time.time() - older_than_seconds
        for _ in range(PAGES_A_ROUND):
            asked = {"list-type": 2, "max-keys": self._page_objects, "start-after": self._listed_up_to}
            query = urlencode(asked, quote_via=quote)
            listed = objects_in(expect_ok(await self._call("GET", f"?{query}", is_patient=True)).content)
            removed += await self._remove([key for key, changed_at in listed if changed_at < before and is_ours(key)])
            self._listed_up_to = listed[-1][0] if listed else ""
            if not listed:
                break
        return removed

    async def _remove(self, keys: Sequence[str]) -> int:
        if not keys:
            return 0
        objects = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
        content = f"<Delete><Quiet>true</Quiet>{objects}</Delete>".encode()
        digest = hashlib.md5(content, usedforsecurity=False).digest()  # S3 asks for it
        headers = {"Content-MD5": base64.b64encode(digest).decode(), "Content-Type": "application/xml"}
        reply = expect_ok(await self._call("POST", "?delete=", headers, content, is_patient=True))
        return len(keys) - reply.content.count(b"<Error>")

    async def _call(
        self,
        method: str,
        rest: str,
        headers: Mapping[str, str] = NO_HEADERS,
        content: bytes = b"",
        **limits: Unpack[Limits],
    ) -> Reply:
        url = self._base_url + rest
        signed = self._signer().headers(method, url, headers, content)
        return await self._remote.call(method, url, signed, content or None, **limits)

    def _presign(self, method: str, path: ObjectPath, headers: dict[str, str], seconds: int) -> AnyUrl:
        url = f"{self._base_url}/{path}"
        return AnyUrl(self._signer().url(method, url, headers, seconds=seconds, timestamp=sigv4.now()))

    def _signer(self) -> sigv4.Signer:
        return sigv4.Signer(self._keys.current(), self._region)


def canonical(query: str) -> list[tuple[str, str]]:
    return sorted(parse_qsl(query, keep_blank_values=True))


def is_same(given: list[tuple[str, str]], expected_url: str) -> bool:
    expected = canonical(urlsplit(expected_url).query)
    return hmac.compare_digest(urlencode(given).encode(), urlencode(expected).encode())


def expect_ok(reply: Reply) -> Reply:
    if reply.status != 200:
        code = re.search(rb"<Code>(\w{1,60})</Code>", reply.content)
        cause = RuntimeError(f"S3 answered {reply.status} {code[1].decode() if code else ''}")
        raise StorageUnavailableError("The storage of photos does not work now. Try again.") from cause
    return reply


def objects_in(listing: bytes) -> list[tuple[str, float]]:
    """Keys and when they were written, in seconds since 1970."""
    try:
        found = ET.fromstring(listing).findall("{*}Contents")  # noqa: S314  (our own storage's)
        return [(text(item, "Key"), datetime.fromisoformat(text(item, "LastModified")).timestamp()) for item in found]
    except (ET.ParseError, ValueError) as error:
        raise StorageUnavailableError("The storage gave no list of its objects.") from error


def text(item: ET.Element, name: str) -> str:
    return item.findtext(f"{{*}}{name}", "")


def is_ours(key: str) -> bool:
    """A bucket may hold other things: they are none of ours."""
    names = key.split("/")
    return len(names) == 2 and ObjectPath.parse(*names) is not None
