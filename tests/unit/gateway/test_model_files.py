"""Model files from a storage that sends too much, or for too long."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx2
import pytest

from gateway.repository import MAX_LIST_BYTES, Bucket, RepositoryError, synchronise
from gateway.uploads.sigv4 import Signer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PIECE = b"x" * 65_536


class Endless(BaseHTTPRequestHandler):
    """Sends until the other side hangs up."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(PIECE)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


@contextmanager
def endless(limit_seconds: float) -> Iterator[Bucket]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Endless) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with httpx2.Client(timeout=30, trust_env=False) as client:
                url = f"http://127.0.0.1:{server.server_port}/models"
                yield Bucket(client, url, Signer(("id", "secret"), "us-east-1"), limit_seconds)
        finally:
            server.shutdown()
            thread.join()


def test_a_list_without_end_is_given_up_at_its_limit_and_not_kept(tmp_path: Path) -> None:
    with endless(limit_seconds=60) as bucket, pytest.raises(RepositoryError, match=f"larger than {MAX_LIST_BYTES}"):
        synchronise(bucket, "a" * 64, tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= MAX_LIST_BYTES


def test_a_storage_that_goes_on_for_ever_is_given_up(tmp_path: Path) -> None:
    with endless(limit_seconds=0.2) as bucket, pytest.raises(RepositoryError, match="takes too long"):
        bucket.fetch("model.onnx", tmp_path / "model.onnx", "a" * 64)
    assert not (tmp_path / "model.onnx").exists()
