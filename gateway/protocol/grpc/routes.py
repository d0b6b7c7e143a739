"""`inference.GRPCInferenceService`: the methods of the data plane; every other one is UNIMPLEMENTED here."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
from tritonclient.grpc import service_pb2

from gateway.errors import MethodNotAllowedError
from gateway.protocol.grpc import codec
from gateway.protocol.grpc.exchange import Calls
from gateway.protocol.messages import MAX_MESSAGE_BYTES, Request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from gateway.protocol.grpc.exchange import Call, Handler
    from gateway.protocol.service import ProtocolService

logger = logging.getLogger(__name__)

SERVICE = "/inference.GRPCInferenceService/"
END_SECONDS = 6.0  # a call takes 5 s at most


class Methods:
    """What a call does, from its token to the bytes of its answer."""

    def __init__(self, service: ProtocolService) -> None:
        self._service = service
        self.handlers: Mapping[str, Handler] = {
            "ServerLive": self.server_live,
            "ServerReady": self.server_ready,
            "ServerMetadata": self.server_metadata,
            "ModelReady": self.model_ready,
            "ModelMetadata": self.model_metadata,
            "RepositoryIndex": self.repository_index,
            "ModelInfer": self.model_infer,
        }

    async def server_live(self, _call: Call) -> bytes:
        return encoded(service_pb2.ServerLiveResponse(live=True))

    async def server_ready(self, _call: Call) -> bytes:
        return encoded(service_pb2.ServerReadyResponse(ready=await self._service.is_ready()))

    async def server_metadata(self, call: Call) -> bytes:
        await call.authenticate()
        return encoded(self._service.server_metadata())

    async def model_ready(self, call: Call) -> bytes:
        model, version = codec.read_model(service_pb2.ModelReadyRequest, await self._paid(call))
        is_ready = await self._service.model_ready(model, version, call.deadline)
        return encoded(service_pb2.ModelReadyResponse(ready=is_ready))

    async def model_metadata(self, call: Call) -> bytes:
        model, version = codec.read_model(service_pb2.ModelMetadataRequest, await self._paid(call))
        return await self._service.model_metadata(model, version, call.deadline)

    async def repository_index(self, call: Call) -> bytes:
        only_ready = codec.read_index(await self._paid(call))
        return codec.write_index(await self._service.index(call.deadline, ready=only_ready))

    async def model_infer(self, call: Call) -> bytes:
        """The answer's bytes are Triton's own."""
        answer = await self._service.infer(Request.parse(await self._paid(call)), call.deadline)
        call.hold(len(answer))
        return answer

    async def _paid(self, call: Call) -> bytes:
        """The message, once it is known whose it is and that he may ask."""
        await self._service.spend(await call.authenticate())
        return await call.message()


async def refuse(_call: Call) -> bytes:
    raise MethodNotAllowedError("This gateway does not offer the method.")


class Router(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Each method as a stream, although one message comes: so the token is looked at before the message is taken."""

    def __init__(self, state: dict[str, Any]) -> None:
        calls = Calls(state)
        methods = Methods(state["protocol"]).handlers
        self._handlers = {
            SERVICE + name: grpc.stream_unary_rpc_method_handler(partial(serve, calls, SERVICE + name, handler))
            for name, handler in methods.items()
        }
        self._unknown = grpc.stream_unary_rpc_method_handler(partial(serve, calls, None, refuse))

    def service(self, handler_call_details: Any) -> Any:
        return self._handlers.get(handler_call_details.method, self._unknown)


async def serve(calls: Calls, path: str | None, handler: Handler, _messages: object, context: Any) -> bytes:
    return await calls.serve(path, handler, context)


@asynccontextmanager
async def open_grpc(host: str, port: int | None, max_calls: int, state: dict[str, Any]) -> AsyncIterator[str | None]:
    """Yields host:port. Raises OSError when the address cannot be had."""
    if port is None:
        yield None
        return
    options = (
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_allowed_incoming_connections", max_calls),
        ("grpc.max_concurrent_streams", 128),
        ("grpc.max_metadata_size", 16 * 1024),  # a token may have half of it
        ("grpc.max_connection_idle_ms", 300_000),
        ("grpc.server_handshake_timeout_ms", 10_000),
        ("grpc.per_message_decompression", 0),  # gRPC would unpack without a limit; `Call.message` does it with one
        ("grpc.so_reuseport", 0),  # two servers at one port would share its calls
    )
    server = grpc.aio.server(options=options, maximum_concurrent_rpcs=max_calls)
    server.add_generic_rpc_handlers((Router(state),))
    host = f"[{host}]" if ":" in host else host
    try:
        address = f"{host}:{server.add_insecure_port(f'{host}:{port}')}"
    except RuntimeError as error:
        raise OSError(f"gRPC cannot be served on {host}:{port}: the port is taken, or not ours to take") from error
    await server.start()
    logger.info("serving gRPC", extra={"fields": {"address": address}})
    try:
        yield address
    finally:
        await server.stop(END_SECONDS)


def encoded(message: Any) -> bytes:
    return bytes(message.SerializeToString())
