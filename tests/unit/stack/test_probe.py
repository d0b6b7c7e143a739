"""What the health check in Triton's container makes of Triton's answers."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from stack.ports import free_ports
from stack.probe import ProbeError, main, probe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = json.dumps({"instance_group": [{"count": 2}, {"count": 1}]}).encode()
# As `diagnose` words them.
TOO_MUCH = b'{"error":"Request timeout expired"}'
NO_CLASSIFIER = b'{"error":"The classifier is not available."}'
BROKEN_RELEASE = b'{"error":"The release cannot be served."}'


@contextmanager
def answering(
    loaded: int, *inferences: int, words: bytes = TOO_MUCH, classifier: int = 200
) -> Iterator[tuple[str, list[str]]]:
    """A server that says these statuses, in turn, and the paths that it was asked for."""
    asked: list[str] = []
    statuses = iter(inferences)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(classifier if self.path == "/v2/models/classifier_2/ready" else loaded, CONFIG)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.answer(next(statuses), words)

        def answer(self, status: int, body: bytes) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Release 2 is active."""
    releases = {"active": "2", "previous": "1", "releases": {"1": "classifier", "2": "classifier_2"}}
    (tmp_path / "releases.json").write_text(json.dumps(releases))
    return tmp_path


def test_every_instance_gets_a_photo() -> None:
    with answering(200, 200, 200, 200) as (address, asked):
        probe(address, 5)
    assert asked.count("/v2/models/diagnose/infer") == 3


@pytest.mark.parametrize("is_live", [True, False])
def test_one_instance_that_fails_is_enough(repository: Path, *, is_live: bool) -> None:
    with answering(200, 200, 500, 200) as (address, _), pytest.raises(ProbeError, match="not diagnosed: 500"):
        probe(address, 5, alive_in=repository if is_live else None)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("words", [TOO_MUCH, BROKEN_RELEASE])
def test_a_server_that_refuses_in_words_is_alive_and_not_ready(repository: Path, status: int, words: bytes) -> None:
    """It has too much to do, or a release whose files are wrong: both are so after a restart too."""
    with answering(200, status, status, status, words=words) as (address, _):
        probe(address, 5, alive_in=repository)
    with answering(200, status, status, status) as (address, _), pytest.raises(ProbeError, match=str(status)):
        probe(address, 5)


def test_a_classifier_that_is_loaded_and_does_not_answer_is_dead(repository: Path) -> None:
    with (
        answering(200, 200, 503, 200, words=NO_CLASSIFIER) as (address, asked),
        pytest.raises(ProbeError, match="classifier is not available"),
    ):
        probe(address, 5, alive_in=repository)
    assert "/v2/models/classifier_2/ready" in asked


def test_a_release_that_cannot_be_loaded_restarts_nothing(repository: Path) -> None:
    with answering(200, 503, 503, 503, words=NO_CLASSIFIER, classifier=400) as (address, _):
        probe(address, 5, alive_in=repository)


@pytest.mark.parametrize("content", [None, "", "[]", '{"active": "3", "releases": {}}'])
def test_a_registry_with_which_triton_could_not_start_restarts_nothing(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "releases.json").write_text(content)
    with answering(200, 503, 503, 503, words=NO_CLASSIFIER) as (address, _):
        probe(address, 5, alive_in=tmp_path)


def test_a_model_that_is_not_loaded_is_told_from_one_that_fails(repository: Path) -> None:
    with answering(400) as (address, _), pytest.raises(ProbeError, match="not loaded"):
        probe(address, 5, alive_in=repository)


def test_nobody_there_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROND_TRITON_HTTP", f"127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(SystemExit, match="does not answer"):
        main(["live"])


def test_an_unknown_question_is_refused() -> None:
    with pytest.raises(SystemExit, match="usage"):
        main(["healthy"])
