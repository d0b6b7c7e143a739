"""Supabase Storage's REST API as its documentation and its source describe it, less what the gateway does not use.

No Supabase can run here: what this server says is what the gateway is written for, and no proof of what Supabase does.
"""

from __future__ import annotations

import time
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jwt
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

TOKEN_SECRET = "known to Supabase alone, and not to the gateway"
BUCKET = "photos"


@dataclass
class StoredObject:
    content: bytes
    content_type: str
    updated_at: float = field(default_factory=time.time)


def failure(status: int, error: str, message: str) -> JSONResponse:
    """Nearly all are a 400 that names the real status inside."""
    return JSONResponse({"statusCode": str(status), "error": error, "message": message}, 500 if status == 500 else 400)


class FakeSupabase:
    def __init__(self, service_key: str) -> None:
        self.service_key = service_key
        self.objects: dict[str, StoredObject] = {}
        self.url = ""
        base = "/storage/v1/object"
        self.app = Starlette(
            routes=[
                Route(base + "/upload/sign/{bucket}/{path:path}", self.sign_upload, methods=["POST"]),
                Route(base + "/upload/sign/{bucket}/{path:path}", self.upload, methods=["PUT"]),
                Route(base + "/authenticated/{bucket}/{path:path}", self.download, methods=["GET"]),
                Route(base + "/list/{bucket}", self.list, methods=["POST"]),
                Route(base + "/{bucket}", self.remove, methods=["DELETE"]),
            ]
        )

    def refuse(self, request: Request) -> Response | None:
        key = self.service_key
        if request.headers.get("authorization") != f"Bearer {key}" or request.headers.get("apikey") != key:
            return failure(403, "Unauthorized", "new row violates row-level security policy")
        if request.path_params["bucket"] != BUCKET:
            return failure(404, "Bucket not found", "Bucket not found")
        return None

    async def sign_upload(self, request: Request) -> Response:
        path, is_upsert = request.path_params["path"], request.headers.get("x-upsert") == "true"
        if refusal := self.refuse(request):
            return refusal
        if path in self.objects and not is_upsert:
            return failure(409, "Duplicate", "The resource already exists")
        claims = {"url": f"{BUCKET}/{path}", "upsert": is_upsert, "exp": int(time.time()) + 7200}
        token = jwt.encode(claims, TOKEN_SECRET, "HS256")
        return JSONResponse({"url": f"/object/upload/sign/{BUCKET}/{path}?token={token}", "token": token})

    async def upload(self, request: Request) -> Response:
        path = request.path_params["path"]
        try:
            claims = jwt.decode(request.query_params["token"], TOKEN_SECRET, ["HS256"])
        except jwt.InvalidTokenError as error:
            return failure(400, "InvalidJWT", str(error))
        if claims["url"] != f"{request.path_params['bucket']}/{path}":
            return failure(400, "InvalidSignature", "Invalid signature")
        if path in self.objects and not claims["upsert"]:
            return failure(409, "Duplicate", "The resource already exists")
        self.objects[path] = StoredObject(await request.body(), request.headers["content-type"])
        return JSONResponse({"Key": f"{BUCKET}/{path}"})

    async def download(self, request: Request) -> Response:
        if refusal := self.refuse(request):
            return refusal
        found = self.objects.get(request.path_params["path"])
        if found is None:
            return failure(404, "not_found", "Object not found")
        return Response(found.content, media_type=found.content_type)

    async def list(self, request: Request) -> Response:
        if refusal := self.refuse(request):
            return refusal
        asked = await request.json()
        below = asked["prefix"] + "/" if asked["prefix"] else ""
        items: dict[str, dict[str, Any]] = {}
        for path, stored in self.objects.items():
            name, _, rest = path.removeprefix(below).partition("/")
            if path.startswith(below):
                items[name] = folder(name) if rest else item(name, stored)
        column = asked["sortBy"]["column"]
        ordered = sorted(items.values(), key=lambda found: str(found[column]))
        return JSONResponse(ordered[asked["offset"] : asked["offset"] + asked["limit"]])

    async def remove(self, request: Request) -> Response:
        if refusal := self.refuse(request):
            return refusal
        paths = (await request.json())["prefixes"]
        return JSONResponse([{"name": path} for path in paths if self.objects.pop(path, None)])


def folder(name: str) -> dict[str, Any]:
    return {"name": name, "id": None, "updated_at": None, "created_at": None, "metadata": None}


def item(name: str, stored: StoredObject) -> dict[str, Any]:
    moment = datetime.fromtimestamp(stored.updated_at, UTC).isoformat().replace("+00:00", "Z")
    return {"name": name, "id": str(uuid.uuid4()), "updated_at": moment, "created_at": moment, "metadata": {}}


@asynccontextmanager
async def running_supabase(service_key: str) -> AsyncIterator[FakeSupabase]:
    fake = FakeSupabase(service_key)
    config = uvicorn.Config(fake.app, port=0, log_config=None, access_log=False, ws="none", lifespan="off")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        fake.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield fake
    finally:
        await server.shutdown()
