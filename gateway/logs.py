"""Logs as one JSON object a line, each with the ids of its request and trace."""

from __future__ import annotations

import json
import logging
import logging.config
from contextvars import ContextVar
from datetime import UTC, datetime

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)


class JsonFormatter(logging.Formatter):
    """What stands in `extra={"fields": {…}}` becomes fields of the object."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
            "trace_id": trace_id.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in line.items() if value is not None}, ensure_ascii=False)


class Noise(logging.Filter):
    """Keeps out what anyone who reaches the port can make uvicorn say as often as he likes. It is counted."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(("Invalid HTTP request", "Unsupported upgrade", "No supported WebS"))


class Seldom(logging.Filter):
    """Lets one line a minute pass: a collector of traces that is out is told once a second otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.created < self._next:
            return False
        self._next = record.created + 60
        return True


def configure() -> None:
    """To stderr; uvicorn's own messages go the same way, and its access log is off (`Edge` writes one)."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": JsonFormatter}},
            "filters": {"noise": {"()": Noise}, "seldom": {"()": Seldom}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
            "root": {"handlers": ["stderr"], "level": "INFO"},
            "loggers": {
                "httpx2": {"level": "WARNING"},  # it tells every URL it asks, signatures included
                "opentelemetry.exporter": {"level": "ERROR"},  # it warns of each try
                "opentelemetry.trace": {"level": "ERROR"},  # it repeats a caller's malformed `tracestate`
                "opentelemetry.exporter.otlp.proto.http.trace_exporter": {"filters": ["seldom"]},
                "python_multipart": {"level": "ERROR"},  # it warns of each body that is malformed
                "uvicorn.error": {"filters": ["noise"]},
            },
        }
    )
