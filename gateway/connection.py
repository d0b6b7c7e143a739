"""One client's connection: uvicorn's, with bounds on what a client may send, how slowly, and how slowly it may read."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.edge import UNKNOWN_ROUTE, count
from gateway.envelope import failure_response
from gateway.errors import GatewayError, InvalidHeaderError, MalformedRequestError, OverloadedError
from gateway.headers import SECURITY_HEADERS

if TYPE_CHECKING:
    import asyncio

    from gateway.metrics import Metrics

# Four times what proxies let through. uvicorn sets no limit.
MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 100  # a header costs memory beyond its bytes: 64 KiB of `a:` a line took 1.8 MB
MAX_PIPELINED = 16  # requests that wait for the answer of the one before; uvicorn would queue without end
MIN_READ_BYTES = 30 * 1024  # in `read_seconds`: what a client on the worst network takes of an answer
# A host name or an address, with a port or without (RFC 9110, section 7.2).
HOST = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?")


def fault_of(version: str, headers: list[tuple[bytes, bytes]], *, is_upgrade: bool) -> GatewayError | None:
    """What the parser lets pass, and a proxy in front may read in another way (RFC 9112, sections 3.2 and 6.1)."""
    hosts = [value for name, value in headers if name == b"host"]
    codings = [value for name, value in headers if name == b"transfer-encoding"]
    has_body = bool(codings) or any(name == b"content-length" and value != b"0" for name, value in headers)
    if version not in {"1.0", "1.1"}:
        return MalformedRequestError("This service speaks HTTP/1.1.")
    if len(hosts) > 1 or not (HOST.fullmatch(hosts[0]) if hosts else version == "1.0"):
        return InvalidHeaderError("There must be one Host header, with a host name and perhaps a port.")
    if codings and (version == "1.0" or [coding.lower() for coding in codings] != [b"chunked"]):
        return InvalidHeaderError("Transfer-Encoding must be chunked, or not be there.")
    if is_upgrade and has_body:  # the parser takes the body for the other protocol, or for the next request
        return InvalidHeaderError("Upgrade: this service speaks HTTP/1.1 alone.")
    return None


class Connection(HttpToolsProtocol):
    """Counts what comes without becoming a request or a piece of its body: headers, trailers, sizes of chunks.

    It waits for headers (`_head_since`), reads a body (`_is_body_due`), works (`_is_free` is false), or waits for the
    client to end (`_rest_since`); with an early answer or pipelined requests several at once.
    It looks at itself now and then, which costs a request nothing; a limit is kept to within `look_seconds`.
    """

    head_seconds = 10.0  # from the first byte, or from the connection, to the end of the headers
    rest_seconds = 10.0  # a body goes on arriving after its answer, or a client that was refused does not hang up
    read_seconds = 30.0  # to take `MIN_READ_BYTES` of what waits to be sent
    look_seconds = 2.0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # uvicorn's own answer to one connection too many is plain text.
        self._max_connections, self.limit_concurrency = self.limit_concurrency, None
        self._metrics: Metrics | None = self.app_state.get("metrics")
        self._idle_bytes = 0
        self._is_past_head = False
        self._is_body_due = False
        self._is_refused = False
        self._fault: GatewayError | None = None
        self._head_since: float | None = None  # when the wait for headers began
        self._rest_since: float | None = None  # when the wait for the client's end began
        self._free_since = 0.0  # when the connection began, or its last answer ended
        self._unread: tuple[float, int] | None = None  # when the client last took something, and what was left then
        self._next_look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_since = self._free_since = self.loop.time()
        self._next_look = self.loop.call_later(self.look_seconds, self._look)
        if self._metrics is not None:
            self._metrics.connections.inc()
        if self._max_connections is not None and len(self.connections) > self._max_connections:
            self._make_room(self._max_connections)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
        if self._metrics is not None:
            self._metrics.connections.dec()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._idle_bytes += len(data)
        if self._is_refused:
            if self._idle_bytes > 2 * MAX_HEAD_BYTES:
                self.transport.abort()
            return
        super().data_received(data)
        if self._idle_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(InvalidHeaderError(f"The headers may have at most {MAX_HEAD_BYTES} bytes."))
        elif self._head_since is None and self.timeout_keep_alive_task is None and self._is_idle():
            self._head_since = self.loop.time()  # line ends before a request stop uvicorn's clock and start none

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_past_head = False
        self._is_body_due = True
        if self._head_since is None:
            self._head_since = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A trailer is no header (RFC 9110, 6.5.1): what checks headers in front of us does not see it."""
        if self._is_past_head:
            return
        if len(self.headers) == MAX_HEADERS:
            self._fault = InvalidHeaderError(f"There may be at most {MAX_HEADERS} headers.")
            raise self._fault
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """What is raised in here ends the parsing, and the connection."""
        self._is_past_head = True
        self._head_since = None
        self._idle_bytes = 0
        version = self.parser.get_http_version()
        is_old = version == "1.0"
        is_upgrade = self.parser.should_upgrade()
        self._fault = fault_of(version, self.headers, is_upgrade=is_upgrade)
        if self._fault is not None:
            raise self._fault
        self.expect_100_continue = self.expect_100_continue and not is_old  # RFC 9110, 10.1.1
        super().on_headers_complete()
        # Answered early, who expects a 100 does not send its body, and its next request would be taken for that.
        self.cycle.keep_alive = self.cycle.keep_alive and not (self.expect_100_continue or is_upgrade)
        if len(self.pipeline) > MAX_PIPELINED:
            self._fault = OverloadedError("Too many requests are waiting for their answers on this connection.")
            raise self._fault

    def on_body(self, body: bytes) -> None:
        self._idle_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_body_due = False
        self._rest_since = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._free_since = self.loop.time()
        if self._is_body_due:
            self._rest_since = self._free_since
        super().on_response_complete()

    def resume_writing(self) -> None:
        self._unread = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  (uvicorn's words)
        self._refuse(self._fault or MalformedRequestError("This is no HTTP request."))

    def _look(self) -> None:
        now = self.loop.time()
        self._next_look = self.loop.call_later(self.look_seconds, self._look)
        if self._is_unread(now) or (self._rest_since is not None and now - self._rest_since > self.rest_seconds):
            self.transport.abort()
        elif self._head_since is not None:
            self._look_at_head(now)

    def _look_at_head(self, now: float) -> None:
        assert self._head_since is not None
        if self.flow.read_paused:  # we do not listen: an earlier request comes first
            self._head_since = now
        elif now - self._head_since > self.head_seconds and not self.transport.is_closing():
            if self._idle_bytes:
                self._refuse(InvalidHeaderError(f"The headers must arrive within {self.head_seconds:.0f} seconds."))
            else:
                self.transport.close()

    def _is_unread(self, now: float) -> bool:
        """Whether the client takes too little of what it asked for, be the connection open or closing."""
        left = self.transport.get_write_buffer_size()
        if left == 0:
            self._unread = None
        elif self._unread is None or left <= self._unread[1] - MIN_READ_BYTES:
            self._unread = now, left
        else:
            return now - self._unread[0] > self.read_seconds
        return False

    def _is_idle(self) -> bool:
        return not self._is_body_due and (self.cycle is None or self.cycle.response_complete)

    def _is_free(self) -> bool:
        """Whether no request is at work here: there was none yet, or the last one is answered."""
        return (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing()

    def _make_room(self, max_connections: int) -> None:
        """Who holds connections and asks for nothing keeps nobody out: the one that was free longest goes.

        Otherwise the new one does; in words as long as there is room for those who listen to them.
        """
        others = [other for other in self.connections if isinstance(other, Connection) and other is not self]
        longest = min(filter(Connection._is_free, others), key=lambda other: other._free_since, default=None)  # noqa: SLF001
        is_flood = len(self.connections) > max_connections + max(10, max_connections // 10)
        if longest is not None and not is_flood:
            longest.transport.close()
            return
        if self._metrics is not None:
            self._metrics.not_admitted.labels("connections").inc()
        if is_flood:
            self.transport.abort()
        else:
            self._refuse(OverloadedError("There are too many connections. Try again."))

    def _refuse(self, error: GatewayError) -> None:
        """Answer and end; where another answer is due first, only end."""
        if self.cycle is not None and not self.cycle.response_complete:
            if self.cycle.response_started or self.pipeline or not self._is_body_due:
                self.transport.close()
                return
            self.cycle.disconnected = True  # what broke is this request's own body: who reads it is told the end
            self.cycle.message_event.set()
        request_id = str(uuid.uuid4())
        response = failure_response(request_id, error)
        own = ((b"x-request-id", request_id.encode()), (b"connection", b"close"))
        headers = [*response.raw_headers, *SECURITY_HEADERS, *own]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[error.status] + lines + b"\r\n" + bytes(response.body))
        if self._metrics is not None:
            count(self._metrics, UNKNOWN_ROUTE, error.status, error.code, 0)
        # Closed at once, the kernel would answer what still arrives with a reset, and the client lose these words.
        self.transport.write_eof()
        self._is_refused = True
        self._head_since = None
        self._rest_since = self.loop.time()
