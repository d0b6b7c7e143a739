"""The trace that a call belongs to: the app's, if it uses OpenTelemetry, else one of its own."""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trace:
    """`parent_id`: of the app's span, None where there is none; both in hexadecimal (W3C Trace Context)."""

    trace_id: str
    parent_id: str | None = None

    @classmethod
    def current(cls) -> Trace:
        """Nothing is imported for it: an app with spans has imported OpenTelemetry."""
        opentelemetry = sys.modules.get("opentelemetry.trace")
        if opentelemetry is not None:
            span = opentelemetry.get_current_span().get_span_context()
            if span.is_valid:
                return cls(f"{span.trace_id:032x}", f"{span.span_id:016x}")
        return cls(secrets.token_hex(16))

    def header(self) -> str:
        """`traceparent` for one attempt. The service decides by itself which traces it keeps."""
        return f"00-{self.trace_id}-{self.parent_id or secrets.token_hex(8)}-01"
