"""The console's pages at `/`, `/model` and `/status`, and what they load, from memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response

from gateway.errors import NotFoundError
from gateway.headers import CONSOLE_POLICY

STATIC = Path(__file__).with_name("static")
PAGES = {"/": "index.html", "/model": "model.html", "/status": "status.html"}
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    content: bytes
    media_type: str
    etag: str


def read_assets(folder: Path = STATIC) -> dict[str, Asset]:
    """By name. A few kilobytes each: read once, not at each request."""
    assets = {}
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        assets[path.name] = Asset(content, MEDIA_TYPES[path.suffix], etag)
    return assets


def create_router() -> APIRouter:
    assets = read_assets()
    router = APIRouter(include_in_schema=False)

    async def page(request: Request) -> Response:
        return respond(request, assets[PAGES[request.url.path]])

    async def asset(request: Request, name: str) -> Response:
        if name not in assets:
            raise NotFoundError("There is nothing at this path.")
        return respond(request, assets[name])

    for path in PAGES:
        router.add_api_route(path, page, methods=["GET", "HEAD"])
    router.add_api_route("/console/{name}", asset, methods=["GET", "HEAD"])
    return router


def respond(request: Request, asset: Asset) -> Response:
    """Asked for again at each visit, and sent only when it changed."""
    name, value = CONSOLE_POLICY
    headers = {name.decode(): value.decode(), "etag": asset.etag, "cache-control": "no-cache"}
    if asset.etag in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    return Response(asset.content, 200, headers, asset.media_type)
