"""A collector of traces for a moment: takes spans over OTLP/HTTP and keeps them in memory."""

from __future__ import annotations

import errno
import socket
import threading
import time
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from google.protobuf.json_format import ParseError
from google.protobuf.message import DecodeError

from cli.failure import Failure
from cli.trace.spans import parse, spans_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import Message
    from io import BufferedIOBase

    from cli.trace.spans import Span

LOOK_SECONDS = 0.05
MAX_BODY_BYTES = 16 * 1024 * 1024
CLIENT_SECONDS = 5.0
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Collector:
    """What has come so far."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._lock = threading.Lock()

    def take(self, content_type: str, body: bytes) -> None:
        spans = list(spans_of(parse(content_type, body)))
        with self._lock:
            self._spans += spans

    def answer(self, headers: Message, body: BufferedIOBase) -> HTTPStatus:
        """What a request with such a body is told."""
        try:
            length = int(headers.get("content-length", "-1"))
            if length > MAX_BODY_BYTES:
                return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            if length < 0:
                return HTTPStatus.BAD_REQUEST
            self.take(headers.get("content-type", ""), body.read(length))
        except (DecodeError, ParseError, ValueError):
            return HTTPStatus.BAD_REQUEST
        return HTTPStatus.OK

    @property
    def spans(self) -> list[Span]:
        with self._lock:
            return list(self._spans)

    def until(self, is_there: Callable[[list[Span]], bool], seconds: float) -> bool:
        """Whether it came to be so within that time."""
        give_up_at = time.monotonic() + seconds
        while not is_there(self.spans):
            if time.monotonic() > give_up_at:
                return False
            time.sleep(LOOK_SECONDS)
        return True


@contextmanager
def collecting(endpoint: str) -> Iterator[Collector]:
    """At the URL that the parts send to. Raises `Failure` where that is not ours to listen on."""
    url = urlsplit(endpoint)
    host = url.hostname or ""
    if url.scheme != "http" or host not in LOOPBACK:
        raise Failure(f"The traces go to {endpoint}, which is not this machine: look at them there.")
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        timeout = CLIENT_SECONDS

        def do_POST(self) -> None:
            self.send_response(collector.answer(self.headers, self.rfile))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True

    try:
        server = Server((host, url.port or 80), Handler)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Failure(f"A collector listens at {endpoint} already: look at the trace there.") from error
        raise Failure(f"Nothing can listen at {endpoint}: {error.strerror}.") from error
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": LOOK_SECONDS}, daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
