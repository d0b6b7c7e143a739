"""Something that classifies photos, seen from outside: over HTTP, over gRPC, or a function in processes of ours."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import grpc

from loadtest.bench.load import Ask, Connect, Load, closed_loop
from loadtest.http import HttpConnection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from loadtest.bench.answers import Answer

OK = 200
MODEL_INFER = "/inference.GRPCInferenceService/ModelInfer"

Read = Callable[[bytes], "Answer"]
"""What a response's body says."""


class TargetError(Exception):
    """A target that refused a request, or did not start."""


class Target(Protocol):
    """`answer` is for the check, `latencies` the measurement: in seconds, of a photo asked for under a load."""

    async def answer(self, photo: bytes) -> Answer: ...

    async def latencies(self, photo: bytes, load: Load) -> list[float]: ...


class Server:
    """A target that is asked over the network; `connect` opens one client's connection, for one photo."""

    def __init__(self, connect: Callable[[bytes], Connect], read: Read) -> None:
        self._connect = connect
        self._read = read

    async def answer(self, photo: bytes) -> Answer:
        async with self._connect(photo)() as ask:
            return self._read(await ask())

    async def latencies(self, photo: bytes, load: Load) -> list[float]:
        return await closed_loop(self._connect(photo), load)


def over_http(address: str, requests: Callable[[bytes], Callable[[], bytes]], read: Read) -> Server:
    """`requests` makes of a photo what makes each request; what is the same in all is made once, beforehand."""

    @asynccontextmanager
    async def connection(request: Callable[[], bytes]) -> AsyncIterator[Ask]:
        connected = await HttpConnection.open(address)

        async def ask() -> bytes:
            try:
                response = await connected.send(request())
            except (OSError, EOFError) as error:
                raise TargetError(f"{address} closed the connection: {error!r}") from error
            if response.status != OK:
                raise TargetError(f"{address} answers {response.status}: {response.body.decode(errors='replace')}")
            return response.body

        try:
            yield ask
        finally:
            connected.close()

    def connect(photo: bytes) -> Connect:
        request = requests(photo)
        return lambda: connection(request)

    return Server(connect, read)


def over_grpc(address: str, message: Callable[[bytes], bytes], read: Read) -> Server:
    """`message` makes the one message that is sent again and again."""

    @asynccontextmanager
    async def channel(request: bytes) -> AsyncIterator[Ask]:
        async with grpc.aio.insecure_channel(address) as opened:
            infer = opened.unary_unary(MODEL_INFER)

            async def ask() -> bytes:
                try:
                    answered: bytes = await infer(request)
                except grpc.aio.AioRpcError as error:
                    raise TargetError(f"{address} answers {error.code()}: {error.details()}") from error
                return answered

            yield ask

    def connect(photo: bytes) -> Connect:
        request = message(photo)
        return lambda: channel(request)

    return Server(connect, read)
