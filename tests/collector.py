"""A collector of traces: takes spans over OTLP/HTTP and keeps them, or does what a broken one does."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from cli.trace.spans import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """While `hangs` is set, requests are taken and not answered."""

    def __init__(self) -> None:
        self.received: list[Span] = []
        self.paths: set[str] = set()
        self.hangs = threading.Event()
        self.url = ""

    def take(self, path: str, content_type: str, body: bytes) -> None:
        self.paths.add(path)
        for resource in parse(content_type, body).resource_spans:
            for scope in resource.scope_spans:
                self.received += scope.spans

    @property
    def spans(self) -> dict[str, Span]:
        """The last one of each name."""
        return {span.name: span for span in self.received}

    def until(self, *names: str) -> dict[str, Span]:
        """All spans once these have come."""
        give_up_at = time.monotonic() + 10
        while not set(names) <= set(self.spans):
            assert time.monotonic() < give_up_at, f"only {set(self.spans)} came"
            time.sleep(0.02)
        return self.spans


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            while collector.hangs.is_set():
                time.sleep(0.05)
            collector.take(self.path, self.headers["content-type"], body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        collector.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield collector
        finally:
            collector.hangs.clear()
            server.shutdown()
            thread.join()
