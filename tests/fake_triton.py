"""A gRPC server that speaks Triton's protocol and answers what a test tells it to."""

from __future__ import annotations

import asyncio
import json
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tests.gateways import photo_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """`requests` are the ones that came, and `probes` the gateway's own; `failure` is the status to end all with;
    `gate` holds them, and `delay_seconds` is what each takes, one after the other.
    """

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.probes: list[Any] = []
        self.delay_seconds = 0.0
        self._turn = asyncio.Lock()
        self.failure_of_strangers: grpc.StatusCode | None = None  # of all but the gateway's own probe
        self.failure: tuple[grpc.StatusCode, str] | None = None
        self.failures_of: dict[str, tuple[grpc.StatusCode, str]] = {}  # by the version that is named, or ""
        self.gate: asyncio.Event | None = None
        self.arrived = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.answer: dict[str, Any] | None = None
        self.output = b""

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802  (the protocol's name)
        if request.id == "probe":
            self.probes.append(request)
        else:
            self.requests.append(request)
            self.arrived.set()
        try:
            if self.gate is not None:
                await self.gate.wait()
            if self.delay_seconds:
                async with self._turn:
                    await asyncio.sleep(self.delay_seconds)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        if self.failure_of_strangers is not None and request.id != "probe":
            await context.abort(self.failure_of_strangers, "failed")
        failure = self.failure or self.failures_of.get(version_of(request))
        if failure is not None:
            await context.abort(*failure)
        answer = json.dumps(self.answer or photo_answer(photos_of(request))).encode()
        output = self.output or struct.pack("<I", len(answer)) + answer
        return service_pb2.ModelInferResponse(raw_output_contents=[output])


def version_of(request: Any) -> str:
    """Looking a name up in this map would put it there."""
    return request.parameters["version"].string_param if "version" in request.parameters else ""


def photos_of(request: Any) -> list[bytes]:
    """The elements of the BYTES tensor: four bytes of length before each."""
    (raw,) = request.raw_input_contents
    photos = []
    while raw:
        (length,) = struct.unpack_from("<I", raw)
        photos.append(raw[4 : 4 + length])
        raw = raw[4 + length :]
    return photos


@asynccontextmanager
async def serving(fake: FakeTriton, address: str = "127.0.0.1:0") -> AsyncIterator[str]:
    """Its address, host:port."""
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)])
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(fake, server)
    port = server.add_insecure_port(address)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
