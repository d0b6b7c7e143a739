"""The console's pages at `/`, `/model` and `/status`, and what they load, from memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from string import Template

from fastapi import APIRouter, Request, Response

from gateway.errors import NotFoundError
from gateway.headers import CONSOLE_POLICY

FOLDER = Path(__file__).parent
STATIC, PARTS = FOLDER / "static", FOLDER / "pages"
HTML = "text/html; charset=utf-8"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Page:
    """`name` is that of its script and of its part between the frame that all pages have."""

    name: str
    title: str


PAGES = {
    "/": Page("diagnose", "diagnose a leaf"),
    "/model": Page("model", "the served model"),
    "/status": Page("status", "status"),
}


@dataclass(frozen=True, slots=True)
class Asset:
    content: bytes
    media_type: str
    etag: str


def asset_of(content: bytes, media_type: str) -> Asset:
    return Asset(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:16]}"')


def read_pages() -> dict[str, Asset]:
    """By path, put together once."""
    frame = Template(part("frame"))
    pages = {}
    for path, page in PAGES.items():
        content = Template(part(page.name)).substitute(access=part("access"))
        text = frame.substitute(title=page.title, script=page.name, content=content)
        here = text.replace(f'<a href="{path}">', f'<a href="{path}" aria-current="page">')
        pages[path] = asset_of(here.encode(), HTML)
    return pages


def part(name: str) -> str:
    return (PARTS / f"{name}.html").read_text("utf-8")


def read_assets() -> dict[str, Asset]:
    """What the pages load, by name. A few kilobytes each: read once, not at each request."""
    return {path.name: asset_of(path.read_bytes(), MEDIA_TYPES[path.suffix]) for path in sorted(STATIC.iterdir())}


def create_router() -> APIRouter:
    pages, assets = read_pages(), read_assets()
    router = APIRouter(include_in_schema=False)

    async def page(request: Request) -> Response:
        return respond(request, pages[request.url.path])

    async def asset(request: Request, name: str) -> Response:
        if name not in assets:
            raise NotFoundError("There is nothing at this path.")
        return respond(request, assets[name])

    for path in pages:
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
