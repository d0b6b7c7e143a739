"""Supabase Storage's REST API (v1), with the project's secret key.

Supabase signs a download only of what exists, and a ticket comes before the photo. So the download URL is that of its
authenticated download, with a signature of our own: for us it lasts an hour; whoever else wants to use it needs the
user's token and a policy that lets the user read the object.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, Unpack
from urllib.parse import urlsplit

import jwt
from pydantic import AnyUrl

from frond.types import UploadTicket
from gateway.errors import StorageUnavailableError
from gateway.uploads.protocols import DOWNLOAD_SECONDS, ObjectPath
from gateway.uploads.signing import Grant, UrlSigner
from gateway.uuids import parse_canonical

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.uploads.remote import Limits, Remote, Reply
    from gateway.uploads.secret_files import SecretFiles

T = TypeVar("T", list[Any], dict[str, Any])

LIST_LIMIT = 100  # users a round, and photos of each; the next round goes on where this one ends
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
UPLOAD_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class SupabaseStorage:
    """Binds path and expiry to an upload; size and hash are checked at use."""

    def __init__(self, remote: Remote, project_url: str, bucket: str, keys: SecretFiles) -> None:
        self._remote = remote
        self._root = f"{project_url.rstrip('/')}/storage/v1/object"
        self._bucket = bucket
        self._base_url = f"{self._root}/authenticated/{bucket}"
        self._keys = keys
        self._folders_seen = 0

    async def ticket(self, path: ObjectPath, size_bytes: int) -> UploadTicket:
        token = await self._upload_token(path)
        download = Grant.for_seconds("GET", path, size_bytes, DOWNLOAD_SECONDS)
        return UploadTicket(
            upload_url=AnyUrl(f"{self._root}/upload/sign/{self._bucket}/{path}?token={token}"),
            upload_headers={"Content-Type": path.content_type},
            upload_expires_in_seconds=seconds_left(token),
            download_url=AnyUrl(f"{self._base_url}/{path}?{self._signer().query(download)}"),
            download_expires_in_seconds=DOWNLOAD_SECONDS,
        )

    def locate(self, url: str) -> ObjectPath | None:
        return ObjectPath.below(self._base_url, url)

    def verify(self, path: ObjectPath, url: str) -> None:
        self._signer().verify("GET", path, urlsplit(url).query)

    async def read(self, path: ObjectPath, max_bytes: int) -> bytes | None:
        reply = await self._call("GET", f"/authenticated/{self._bucket}/{path}", max_bytes=max_bytes)
        if reply.status != 200 and is_missing_object(reply):
            return None
        expect_ok(reply)
        return reply.content[: max_bytes + 1]

    async def expire(self, older_than_seconds: float) -> int:
        before = time.time() - older_than_seconds
        folders = await self._list("", self._folders_seen, "name")
        self._folders_seen = self._folders_seen + LIST_LIMIT if len(folders) == LIST_LIMIT else 0
        return sum([await self._expire_in(str(item["name"]), before) for item in folders if is_user(item)])

    async def _expire_in(self, user_id: str, before: float) -> int:
        """The oldest of one user's photos."""
        found = [item for item in await self._list(user_id, 0, "updated_at") if item.get("id")]
        names = [str(item["name"]) for item in found if changed_at(item) < before]
        paths = [f"{user_id}/{name}" for name in names if ObjectPath.parse(user_id, name) is not None]
        if paths:
            expect_ok(await self._call("DELETE", f"/{self._bucket}", {"prefixes": paths}, is_patient=True))
        return len(paths)

    async def _list(self, prefix: str, offset: int, order: str) -> Sequence[dict[str, Any]]:
        order_by = {"column": order, "order": "asc"}
        asked = {"prefix": prefix, "limit": LIST_LIMIT, "offset": offset, "sortBy": order_by}
        reply = expect_ok(await self._call("POST", f"/list/{self._bucket}", asked, is_patient=True))
        return parse(reply, list)

    async def _upload_token(self, path: ObjectPath) -> str:
        """Supabase gives none for what is there already, unless the new upload may replace it."""
        place = f"/upload/sign/{self._bucket}/{path}"
        reply = await self._call("POST", place, {})
        if reply.status in {400, 409} and parse(reply, dict).get("error") == "Duplicate":
            reply = await self._call("POST", place, {}, {"x-upsert": "true"})
        token = str(parse(expect_ok(reply), dict).get("url", "")).partition("?token=")[2]
        if not UPLOAD_TOKEN.fullmatch(token):
            raise StorageUnavailableError("The storage gave no URL for an upload.")
        return token

    async def _call(
        self,
        method: str,
        rest: str,
        body: object = None,
        headers: Mapping[str, str] = NO_HEADERS,
        **limits: Unpack[Limits],
    ) -> Reply:
        (key,) = self._keys.current()
        sent = {"apikey": key, "Authorization": f"Bearer {key}", **headers}
        if body is None:
            return await self._remote.call(method, self._root + rest, sent, **limits)
        sent["Content-Type"] = "application/json"
        return await self._remote.call(method, self._root + rest, sent, json.dumps(body).encode(), **limits)

    def _signer(self) -> UrlSigner:
        return UrlSigner(*(derive(key) for (key,) in self._keys.values()))


def derive(service_key: str) -> bytes:
    """A key for our URLs that says nothing of the one it is made of, and is the same in every replica."""
    return hmac.new(service_key.encode(), b"frond download urls", hashlib.sha256).digest()


def seconds_left(token: str) -> int:
    """Supabase alone decides how long an upload may take: two hours, unless configured otherwise."""
    try:
        return int(jwt.decode(token, options={"verify_signature": False, "verify_exp": False})["exp"] - time.time())
    except (jwt.InvalidTokenError, KeyError, TypeError) as error:
        raise StorageUnavailableError("The storage gave no URL for an upload.") from error


def parse(reply: Reply, kind: type[T]) -> T:
    """What the reply says; `kind` is list or dict."""
    try:
        content = json.loads(reply.content)
    except ValueError as error:
        raise StorageUnavailableError("The storage gave no JSON.") from error
    if not isinstance(content, kind):
        raise StorageUnavailableError("The storage gave JSON of another form.")
    return content


def is_missing_object(reply: Reply) -> bool:
    """Most errors come as a 400 that names another status inside. A missing bucket is not the caller's fault."""
    if reply.status not in {400, 404}:
        return False
    body = parse(reply, dict)
    return str(body.get("statusCode", reply.status)) == "404" and body.get("message") != "Bucket not found"


def expect_ok(reply: Reply) -> Reply:
    if reply.status != 200:
        cause = RuntimeError(f"Supabase Storage answered {reply.status}")
        raise StorageUnavailableError("The storage of photos does not work now. Try again.") from cause
    return reply


def is_user(item: dict[str, Any]) -> bool:
    """Folders have no id."""
    return not item.get("id") and parse_canonical(str(item.get("name"))) is not None


def changed_at(item: dict[str, Any]) -> float:
    return datetime.fromisoformat(str(item.get("updated_at") or item.get("created_at"))).timestamp()
