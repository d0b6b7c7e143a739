"""The outermost layer: request ids, one log line a request, and the last resort for what nobody caught."""

from __future__ import annotations

import logging
import re
import time
import uuid
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from gateway import logs
from gateway.envelope import failure_response
from gateway.errors import GatewayError, ServerError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Edge:
    """ASGI middleware. The path is logged without its query, which carries signatures."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = choose_request_id(Headers(scope=scope).get("x-request-id"))
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        started = time.monotonic()
        status: int | None = None

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        token = logs.request_id.set(request_id)
        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            if status is not None:  # half an answer is out: only the server can end the connection
                raise
            logger.exception("unhandled error")
            response = failure_response(
                request_id, ServerError("Something went wrong here. The request id names the log entry.")
            )
            await response(scope, receive, send_with_id)
        finally:
            log_request(scope, status, time.monotonic() - started)
            logs.request_id.reset(token)


def choose_request_id(wanted: str | None) -> str:
    """The caller's, if it can stand in a header and a log line as it is."""
    return wanted if wanted is not None and REQUEST_ID.fullmatch(wanted) else str(uuid.uuid4())


def log_request(scope: Scope, status: int | None, seconds: float) -> None:
    error = scope["state"].get("error")
    fields = {
        "method": scope["method"],
        "path": scope["path"],
        "status": status,
        "duration_ms": round(seconds * 1000, 1),
        "error": error.code if isinstance(error, GatewayError) else None,
        "cause": repr(error.__cause__) if isinstance(error, ServerError) and error.__cause__ else None,
    }
    # Probes ask every few seconds; what they find wrong shows in the parts' own lines.
    level = logging.DEBUG if scope["path"].startswith("/health/") else logging.INFO
    logger.log(level, "request", extra={"fields": fields})
