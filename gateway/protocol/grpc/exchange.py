"""One gRPC call with what each request of the gateway has: id, caller, deadline, share of the memory, a log line."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.deadline import MAX_CALLER_SECONDS, Deadline
from gateway.edge import Exchange
from gateway.errors import DeadlineError, GatewayError, MalformedRequestError, ServerError
from gateway.memory import Share
from gateway.protocol.compression import in_pieces, looks_packed, unpack
from gateway.protocol.grpc.errors import code_of
from gateway.protocol.messages import MAX_MESSAGE_BYTES
from gateway.unauthenticated import identity, is_nobody

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.auth.protocols import Caller

    Handler = Callable[["Call"], Awaitable[bytes]]

logger = logging.getLogger(__name__)

# From the first byte to the last. While it arrives nobody knows how large a message will be: it is counted afterwards,
# and so many at once arrive.
RECEIVE_SECONDS = 10.0
MAX_RECEIVING = 32


@dataclass(frozen=True, slots=True)
class Route:
    """As metrics and logs name it."""

    path: str


class Call:
    """`state` is what HTTP's routes find in `request.state`."""

    def __init__(self, scope: dict[str, Any], context: Any, stack: ExitStack, receiving: asyncio.Semaphore) -> None:
        seconds = context.time_remaining()
        self.state: dict[str, Any] = scope["state"]
        self.deadline = Deadline.after(MAX_CALLER_SECONDS if seconds is None else min(seconds, MAX_CALLER_SECONDS))
        self._scope = scope
        self._context = context
        self._stack = stack
        self._share: Share | None = None
        self._receiving = receiving

    async def authenticate(self) -> Caller:
        """By the metadata `authorization`. Raises what is wrong with the token, and counts it as HTTP does."""
        found = await identity(self._scope)
        if is_nobody(found):
            self.state["unauthenticated"].charge()
        if isinstance(found, GatewayError):
            raise found
        self._share = self._stack.enter_context(Share(self.state["memory"], found.user_id))
        return found

    async def message(self) -> bytes:
        """Unpacked. Raises `DeadlineError` when it comes too slowly, `OverloadedError` when too much is held already,
        and what `unpack` does.
        """
        try:
            async with asyncio.timeout(min(RECEIVE_SECONDS, self.deadline.remaining())), self._receiving:
                message = await self._context.read()
        except TimeoutError as error:
            raise DeadlineError("The message did not arrive in time.") from error
        if not isinstance(message, bytes):
            raise MalformedRequestError("There is no message.")
        self.hold(len(message))
        if looks_packed(message):
            return await unpack(in_pieces(message), MAX_MESSAGE_BYTES, self.hold)
        return message

    def hold(self, size_bytes: int) -> None:
        assert self._share is not None
        self._share.take(size_bytes)


class Calls:
    """Serves handlers: what they raise ends the call with its status."""

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state
        self._receiving = asyncio.Semaphore(MAX_RECEIVING)

    async def serve(self, path: str | None, handler: Handler, context: Any) -> bytes:
        scope = scope_of(path, context, self._state)
        exchange = Exchange(scope)
        context.set_trailing_metadata((("x-request-id", exchange.request_id),))
        with exchange, ExitStack() as stack:
            call = Call(scope, context, stack, self._receiving)
            try:
                answer = await handler(call)
                exchange.status = 200
            except asyncio.CancelledError:
                exchange.status = 504 if call.deadline.is_over() else 499
                raise
            except GatewayError as error:
                scope["state"]["error"], exchange.status = error, error.status
                await context.abort(code_of(error), str(error), trailing(exchange.request_id, error))
            except Exception:
                logger.exception("unhandled error")
                bug = ServerError("Something went wrong here. The request id names the log entry.")
                scope["state"]["error"], exchange.status = bug, bug.status
                await context.abort(code_of(bug), str(bug))
        return answer


def scope_of(path: str | None, context: Any, state: dict[str, Any]) -> dict[str, Any]:
    """As ASGI has it, for the parts of the edge that read one. Without a path it is none of our methods."""
    scope = {"type": "grpc", "method": "POST", "path": path or "", "headers": headers_of(context), "state": dict(state)}
    return scope if path is None else {**scope, "route": Route(path)}


def headers_of(context: Any) -> list[tuple[bytes, bytes]]:
    return [
        (name.encode(), value.encode() if isinstance(value, str) else value)
        for name, value in context.invocation_metadata()
    ]


def trailing(request_id: str, error: GatewayError) -> tuple[tuple[str, str], ...]:
    metadata: tuple[tuple[str, str], ...] = (("x-request-id", request_id),)
    if error.retry_after_ms is not None:
        metadata += (("retry-after-ms", str(error.retry_after_ms)),)
    return metadata
