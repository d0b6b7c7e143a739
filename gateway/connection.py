"""One client's connection: uvicorn's, with a bound on headers, no trailers, and the envelope for what is no HTTP."""

from __future__ import annotations

import uuid

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.envelope import failure_response
from gateway.errors import GatewayError, InvalidHeaderError, MalformedRequestError

# Four times what proxies let through. uvicorn sets no limit: each byte of small headers costs it 20 bytes of memory.
MAX_HEAD_BYTES = 64 * 1024


class Connection(HttpToolsProtocol):
    """Counts what comes without becoming a request or a piece of its body: headers, trailers, sizes of chunks."""

    _idle_bytes = 0
    _is_past_head = False

    def data_received(self, data: bytes) -> None:
        self._idle_bytes += len(data)
        super().data_received(data)
        if self._idle_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(InvalidHeaderError(f"The headers may have at most {MAX_HEAD_BYTES} bytes."))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_past_head = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A trailer is no header (RFC 9110, 6.5.1): what checks headers in front of us does not see it."""
        if not self._is_past_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_past_head = True
        self._idle_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._idle_bytes = 0
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  (uvicorn's words)
        self._refuse(MalformedRequestError("This is no HTTP request."))

    def _refuse(self, error: GatewayError) -> None:
        """Answer and close; where another answer is due first, only close."""
        if self.cycle is None or self.cycle.response_complete:
            response = failure_response(str(uuid.uuid4()), error)
            headers = [*response.raw_headers, (b"connection", b"close")]
            lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
            self.transport.write(STATUS_LINE[error.status] + lines + b"\r\n" + bytes(response.body))
        self.transport.close()
