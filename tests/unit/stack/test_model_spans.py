"""The spans of the model `diagnose`, whose file is no package: a collector or a context must never do harm."""

from __future__ import annotations

import importlib.util
import json
import socket
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from stack.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

FOUND_SECONDS = 20.0
# What a gRPC server says to HTTP/1.1, as on port 4317.
SETTINGS_FRAME = b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"x" * 18 + b"\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def spans() -> Iterator[Any]:
    spec = importlib.util.spec_from_file_location("model_spans", ROOT / "model_repository/diagnose/1/spans.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # as its dataclasses need
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@contextmanager
def collector(answers: list[bytes], received: list[bytes]) -> Iterator[str]:
    """Answers one connection after the other so."""

    def serve() -> None:
        for answer in answers:
            connection, _ = server.accept()
            with connection:
                received.append(connection.recv(65_536))
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1/traces"


def send(exporter: Any, received: list[bytes]) -> None:
    """A span, and wait until the collector has it."""
    had = len(received)
    exporter.add([{"name": "diagnose.infer"}])
    give_up = time.monotonic() + FOUND_SECONDS
    while len(received) == had:
        assert time.monotonic() < give_up, "no span came"
        time.sleep(0.02)


def test_after_an_answer_that_is_not_http_spans_are_sent_on(spans: Any) -> None:
    log, received = list[str](), list[bytes]()
    with collector([SETTINGS_FRAME, ANSWER], received) as url:
        exporter = spans.Exporter(url, log.append)
        send(exporter, received)
        send(exporter, received)
        exporter.close()
    assert len(log) == 1
    assert "BadStatusLine" in log[0]


def test_a_proxy_of_the_environment_gets_no_spans(spans: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib.request, "_opener", None)  # it would remember the environment of its first use
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    log, received = list[str](), list[bytes]()
    with collector([ANSWER], received) as url:
        exporter = spans.Exporter(url, log.append)
        send(exporter, received)
        exporter.close()
    assert received[0].startswith(b"POST /v1/traces ")
    assert log == []


class Request:
    """Triton's, with this text for a context."""

    def __init__(self, context: str) -> None:
        self._context = context

    def trace(self) -> Request:
        return self

    def get_context(self) -> str:
        return self._context


@pytest.mark.parametrize("context", ["", "{", "[]", "{}", '{"traceparent": 5}', '{"traceparent": "00-a-b"}'])
def test_a_context_in_other_words_is_none(spans: Any, context: str) -> None:
    assert spans.context_of(Request(context)) is None


def test_a_context_is_tritons_span(spans: Any) -> None:
    context = spans.context_of(Request(json.dumps({"traceparent": "00-0af7-b7ad-01"})))
    assert (context.trace_id, context.span_id) == ("0af7", "b7ad")
