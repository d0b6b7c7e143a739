"""The outermost layer: request ids and headers of every answer, and what is noted of every request."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from typing import TYPE_CHECKING

from opentelemetry.context import attach, detach
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from gateway import logs
from gateway.envelope import failure_response
from gateway.errors import GatewayError, ServerError, StoppingError, category_of
from gateway.headers import (
    DOCS_PATH,
    DOCS_POLICY,
    DOCS_POLICY_BEHIND_TLS,
    SECURITY_HEADERS,
    STRICT_TRANSPORT,
    Header,
    add_missing,
)
from gateway.tracing import caller_context, exemplar_of

if TYPE_CHECKING:
    from opentelemetry.trace import Span
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.metrics import Metrics
    from gateway.tracing import Tracing

logger = logging.getLogger(__name__)

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
UNKNOWN_ROUTE = "other"
PROBE = re.compile(r"^(/v2)?/health/|/Server(Live|Ready)$")


class Edge:
    """ASGI middleware around all others. Routes are named by their templates: paths are the caller's to choose."""

    def __init__(self, app: ASGIApp, *, is_https: bool) -> None:
        self._app = app
        self._headers = (*SECURITY_HEADERS, STRICT_TRANSPORT) if is_https else SECURITY_HEADERS
        docs_policy = DOCS_POLICY_BEHIND_TLS if is_https else DOCS_POLICY
        self._docs_headers = (docs_policy, *(header for header in self._headers if header[0] != docs_policy[0]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope)
        own_headers = ((b"x-request-id", exchange.request_id.encode()), *self._headers_for(scope["path"]))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = headers = list(message["headers"])
                add_missing(headers, own_headers)
            await send(message)

        with exchange:
            await self._app(scope, receive, send_with_headers)

    def _headers_for(self, path: str) -> tuple[Header, ...]:
        return self._docs_headers if path == DOCS_PATH else self._headers


class Exchange:
    """One request and its answer: a context in which logs and spans know whose they are; noted when it ends."""

    __slots__ = ("_metrics", "_span", "_started", "_tokens", "_trace_id", "request_id", "scope", "status")

    def __init__(self, scope: Scope) -> None:
        headers = dict(reversed(scope["headers"]))  # of several the first
        state = scope.setdefault("state", {})
        self.scope = scope
        self.request_id = state["request_id"] = choose_request_id(headers.get(b"x-request-id"))
        self.status: int | None = None
        self._metrics: Metrics = state["metrics"]
        tracing: Tracing = state["tracing"]
        context, caller = caller_context(headers.get(b"traceparent"), headers.get(b"tracestate"))
        self._span = None if PROBE.search(scope["path"]) else tracing.begin(scope["method"], context)
        traced = self._span.get_span_context() if self._span else caller
        self._trace_id = format(traced.trace_id, "032x") if traced else None

    def __enter__(self) -> None:
        self._started = time.perf_counter()
        self._tokens = (
            logs.request_id.set(self.request_id),
            logs.trace_id.set(self._trace_id),
            attach(set_span_in_context(self._span)) if self._span else None,
        )
        self._metrics.in_flight.inc()

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self._started
        self._metrics.in_flight.dec()
        route = getattr(self.scope.get("route"), "path", UNKNOWN_ROUTE)
        count(self._metrics, route, self.status, code_of(self.scope), seconds, exemplar=exemplar_of(self._span))
        log(self.scope, route, self.status, seconds)
        request_id, trace_id, span = self._tokens
        logs.request_id.reset(request_id)
        logs.trace_id.reset(trace_id)
        if self._span is not None and span is not None:
            detach(span)
            end(self._span, self.scope, route, self.status)


class LastResort:
    """ASGI middleware inside all others: renders what nobody caught."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def watched_send(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except (Exception, asyncio.CancelledError) as error:
            if has_begun or scope["type"] != "http":  # half an answer is out: only the server can end the connection
                raise
            told = scope["state"]["error"] = told_of(error)
            await failure_response(scope["state"]["request_id"], told, scope["path"])(scope, receive, send)


def told_of(error: BaseException) -> ServerError:
    """A bug is logged here and not shown. Only the server cancels a request as a whole, as it stops."""
    if isinstance(error, asyncio.CancelledError):
        return StoppingError("This server is stopping. Try again.")
    logger.error("unhandled error", exc_info=error)
    return ServerError("Something went wrong here. The request id names the log entry.")


def choose_request_id(wanted: bytes | None) -> str:
    """The caller's, if it can stand in a header and a log line as it is."""
    return wanted.decode() if wanted is not None and REQUEST_ID.fullmatch(wanted) else str(uuid.uuid4())


def code_of(scope: Scope) -> str | None:
    """Of a failure that was rendered, or of one that is stored as an answer."""
    error = scope["state"].get("error")
    return error.code if isinstance(error, GatewayError) else scope["state"].get("code")


def count(
    metrics: Metrics,
    route: str,
    status: int | None,
    code: str | None,
    seconds: float,
    *,
    exemplar: dict[str, str] | None = None,
) -> None:
    metrics.requests.labels(route, status or "none", category_of(status) or "none", code or "none").inc()
    metrics.request_seconds.labels(route).observe(seconds, exemplar)


def log(scope: Scope, route: str, status: int | None, seconds: float) -> None:
    # Probes ask every few seconds, and who asks too often would fill the log as well. Both are counted.
    level = logging.DEBUG if PROBE.search(route) or status == 429 else logging.INFO
    if not logger.isEnabledFor(level):
        return
    error = scope["state"].get("error")
    fields = {
        "method": scope["method"],
        "route": route,
        "status": status,
        "duration_ms": round(seconds * 1000, 1),
        "error": code_of(scope),
        "cause": repr(error.__cause__) if isinstance(error, ServerError) and error.__cause__ else None,
    }
    logger.log(level, "request", extra={"fields": fields})


def end(span: Span, scope: Scope, route: str, status: int | None) -> None:
    """Names as OpenTelemetry's semantic conventions for HTTP servers have them."""
    span.update_name(f"{scope['method']} {route}")
    span.set_attributes(
        {
            "http.request.method": scope["method"],
            "http.route": route,
            "http.response.status_code": status or 0,
            "frond.request_id": scope["state"]["request_id"],
        }
    )
    error = scope["state"].get("error")
    if isinstance(error, GatewayError):
        span.set_attribute("error.type", error.code)
    if status is None or status >= 500:
        span.set_status(Status(StatusCode.ERROR))
    span.end()
