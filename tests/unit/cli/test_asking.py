"""How the command asks a gateway."""

from __future__ import annotations

import json
import threading
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

from cli.connection import Connection
from cli.diagnose import ask

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

ENVELOPE = {
    "success": False,
    "requestId": "1",
    "error": {"category": "server", "code": "overloaded", "message": "…", "retryable": True},
}


class Gateway(BaseHTTPRequestHandler):
    """Answers everything with the same error."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        content = json.dumps(ENVELOPE).encode()
        self.send_response(503)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Nowhere."""


@contextmanager
def listening() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_the_gateway_of_this_machine_is_asked_without_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with listening() as url:
        assert ask(Connection(url, "token"), {}, [("leaf", b"photo")], uuid.uuid4()) == ENVELOPE
