"""A call's trace: the app's, with a span for each attempt, if it uses OpenTelemetry; else one of its own."""

from __future__ import annotations

import asyncio
import secrets
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from frond.errors import CloudInferenceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Tracer

OPENTELEMETRY = "opentelemetry.trace"


@dataclass(frozen=True, slots=True)
class Trace:
    """`trace_id`: in hexadecimal, for attempts outside of any span."""

    trace_id: str

    @classmethod
    def new(cls) -> Trace:
        return cls(secrets.token_hex(16))

    def headers(self) -> dict[str, str]:
        """W3C Trace Context of one attempt: the current span's. The service decides by itself which traces it keeps."""
        span = _current_context()
        if span is None:
            return {"traceparent": f"00-{self.trace_id}-{secrets.token_hex(8)}-01"}
        flags = int(span.trace_flags.sampled)  # the one flag of version 00
        headers = {"traceparent": f"00-{span.trace_id:032x}-{span.span_id:016x}-{flags:02x}"}
        return headers | ({"tracestate": span.trace_state.to_header()} if span.trace_state else {})


class Spans:
    """Of `tracer`, or of the app's own provider. Nothing is imported: an app with spans has imported OpenTelemetry.

    Attributes are those of OpenTelemetry's conventions for HTTP clients; none holds a URL, a token, or an error's text.
    """

    def __init__(self, tracer: Tracer | None = None) -> None:
        self._tracer = tracer

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        """A whole call, so that all its attempts are in one trace."""
        with self._span(name, "INTERNAL", {}):
            yield

    @contextmanager
    def attempt(self, method: str, path: str, number: int) -> Iterator[None]:
        """One request and its answer; `number` counts from 1."""
        attributes: dict[str, str | int] = {"http.request.method": method}
        if number > 1:
            attributes["http.request.resend_count"] = number - 1
        with self._span(f"{method} {path}", "CLIENT", attributes):
            yield

    @contextmanager
    def _span(self, name: str, kind: str, attributes: dict[str, str | int]) -> Iterator[None]:
        api = sys.modules.get(OPENTELEMETRY)
        if api is None:
            yield
            return
        tracer = self._tracer or api.get_tracer("frond")
        with tracer.start_as_current_span(
            name,
            kind=api.SpanKind[kind],
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except (CloudInferenceError, asyncio.CancelledError) as error:
                span.set_status(api.Status(api.StatusCode.ERROR))
                span.set_attributes(_of_failure(error))
                raise


def _of_failure(error: CloudInferenceError | asyncio.CancelledError) -> dict[str, str | int]:
    """Cancelled: by the caller, or because the call's time is over."""
    if not isinstance(error, CloudInferenceError):
        return {"error.type": "cancelled"}
    status = {} if error.status is None else {"http.response.status_code": error.status}
    return {"error.type": error.code, **status}


def _current_context() -> Any:
    """OpenTelemetry's `SpanContext`, or None."""
    api = sys.modules.get(OPENTELEMETRY)
    context = api.get_current_span().get_span_context() if api is not None else None
    return context if context is not None and context.is_valid else None
