"""Browsers of other origins: who may call (Fetch standard, section 3.2), and the envelope for who may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from gateway.envelope import failure_response
from gateway.errors import InvalidHeaderError

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Receive, Scope, Send

REQUEST_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "X-Frond-Deadline-Ms",
    "X-Request-Id",
    "traceparent",
    "tracestate",
    "apikey",  # this one and the next come with every call of supabase-js; they mean nothing here
    "X-Client-Info",
)
ANSWER_HEADERS = ("X-Request-Id", "Idempotency-Replayed", "Retry-After", "RateLimit", "RateLimit-Policy")


class Cors(CORSMiddleware):
    """Starlette's, whose own refusals are plain text. No cookies: callers bring a token."""

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST", "PUT"),
            allow_headers=REQUEST_HEADERS,
            expose_headers=ANSWER_HEADERS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" and scope["method"] == "OPTIONS" else {}
        if "origin" not in headers or "access-control-request-method" not in headers:
            await super().__call__(scope, receive, send)
            return
        judged = self.preflight_response(Headers(scope=scope))
        if judged.status_code == 200:
            answer = Response(status_code=204)
        else:
            error = scope["state"]["error"] = InvalidHeaderError(f"{bytes(judged.body).decode()}.")
            answer = failure_response(scope["state"]["request_id"], error)
        ours = {b"content-length", b"content-type"}
        answer.raw_headers += [header for header in judged.raw_headers if header[0] not in ours]
        await answer(scope, receive, send)
