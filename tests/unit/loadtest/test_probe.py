"""One request before the many: a target that nobody can ask is said at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from loadtest.asking.target import Target, TargetError, Wallet


@contextmanager
def answering(status: int) -> Iterator[Target]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.headers["Authorization"] == "Bearer mine" else 500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Target(f"http://127.0.0.1:{server.server_port}", wallet=Wallet(("mine",)))
        server.shutdown()


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_refused_is_said(status: int) -> None:
    with answering(status) as target, pytest.raises(TargetError, match=f"refuses the token .HTTP {status}"):
        target.probe()


@pytest.mark.parametrize("status", [200, 404, 429, 503])
def test_a_service_that_answers_at_all_may_be_tested(status: int) -> None:
    with answering(status) as target:
        target.probe()


def test_nobody_there_is_said() -> None:
    with answering(200) as target:
        pass
    with pytest.raises(TargetError, match="does not answer"):
        target.probe()
