"""What the health check in the gateway's container makes of the gateway's answers."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from gateway.probe import main, probe
from stack.ports import free_ports


class Draining(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = 200 if self.path == "/health/live" else 503
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"draining")

    def log_message(self, *_: object) -> None: ...


@pytest.mark.parametrize(("question", "complaint"), [("live", None), ("ready", "draining")])
def test_it_says_what_the_gateway_says(question: str, complaint: str | None) -> None:
    with HTTPServer(("127.0.0.1", 0), Draining) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert probe(question, server.server_port) == complaint
        thread.join()


def test_nobody_there_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROND_PORT", str(free_ports(1)[0]))
    with pytest.raises(SystemExit, match="refused"):
        main(["live"])


def test_an_unknown_question_is_refused() -> None:
    with pytest.raises(SystemExit, match="usage"):
        main([])
