"""`/metrics` for Prometheus, on an address of its own and in threads of its own: not for the public."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from contextlib import asynccontextmanager
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.metrics import Metrics

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.1  # how often it looks whether it shall end
CLIENT_SECONDS = 5.0  # a scraper that says nothing, or does not read


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # whoever hangs on one does not hold up the end

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), Handler)

    def server_bind(self) -> None:
        """WSGIServer's would look up the host's full name, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]  # bytes: AF_UNIX
        self.setup_environ()


class Handler(WSGIRequestHandler):
    timeout = CLIENT_SECONDS

    def log_message(self, *_: object) -> None:
        """A scrape is no news."""


@asynccontextmanager
async def open_exposition(metrics: Metrics, host: str, port: int | None) -> AsyncIterator[str | None]:
    """Yields host:port. Raises OSError when the address cannot be had."""
    if port is None:
        yield None
        return
    try:
        server = Server(host, port)
    except OSError as error:
        raise OSError(error.errno, f"metrics cannot be served on {host}:{port}: {error.strerror}") from error
    server.set_app(make_wsgi_app(metrics.registry))
    threading.Thread(target=server.serve_forever, args=(LOOK_SECONDS,), name="metrics", daemon=True).start()
    address = f"{host}:{server.server_port}"
    logger.info("serving metrics", extra={"fields": {"address": address}})
    try:
        yield address
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
