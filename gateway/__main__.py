"""`python -m gateway`: serve until SIGTERM or SIGINT, then finish what has begun and go."""

from __future__ import annotations

import gc
import math
import signal
import sys
import time
from typing import TYPE_CHECKING

import uvicorn
from pydantic import ValidationError

from gateway import logs
from gateway.app import create_app
from gateway.auth.keys import KeySetError
from gateway.connection import Connection
from gateway.health.service import Lifecycle
from gateway.settings import SecretError, Settings, reason

if TYPE_CHECKING:
    import socket
    from types import FrameType

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# As long as one request may take from its claim to its stored answer.
FINISH_SECONDS = 15
# Files and addresses that are not there or not what they should be.
MENDABLE = (OSError, SecretError, KeySetError)
KEEP_ALIVE_SECONDS = 75  # longer than the idle time of the load balancers in front, usually 60 s


class StartReport:
    """ASGI middleware around all: why the service cannot start, in one line where the operator can mend it.

    Starlette tells the whole traceback, which is right for a bug alone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_report(message: Message) -> None:
            error = sys.exception()  # Starlette sends this while it handles what was raised
            if message["type"] == "lifespan.startup.failed" and isinstance(error, MENDABLE):
                message["message"] = f"The gateway cannot start. {error}"
            await send(message)

        await self._app(scope, receive, send_report if scope["type"] == "lifespan" else send)


class DrainingServer(uvicorn.Server):
    """SIGTERM: not ready at once, closed a little later. SIGINT, or a second signal: closed at once."""

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle, drain_seconds: float) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._drain_seconds = drain_seconds
        self._close_at = math.inf

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """What was made until now lives as long as the process: the garbage collector need not look at it again."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """uvicorn's own would raise the signal again at the end, and the process would seem to have been killed."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        if sig == signal.SIGTERM and not self._lifecycle.is_draining:
            self._close_at = time.monotonic() + self._drain_seconds
        else:
            self.should_exit = True
        self._lifecycle.is_draining = True

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or time.monotonic() >= self._close_at


def main() -> None:
    logs.configure()
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit(f"The gateway's settings are wrong. {reason(error)}")
    lifecycle = Lifecycle()
    config = uvicorn.Config(
        StartReport(create_app(settings, lifecycle)),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here depends on who is behind the proxy
        limit_concurrency=settings.max_connections,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    server = DrainingServer(config, lifecycle, settings.drain_seconds)
    server.run()
    if not server.started:
        sys.exit(3)


if __name__ == "__main__":
    main()
