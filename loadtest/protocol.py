"""What the gateway costs users with tensors: Triton directly and through it, gRPC and HTTP, in one run and in turns.

`python -m loadtest.protocol`. Messages are made beforehand, so that what is compared is the servers. The last line is
one JSON object: the gateway's throughput over Triton's own.
"""

from __future__ import annotations

import asyncio
import json
import statistics
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
import numpy as np
import uvloop
from tritonclient.grpc import service_pb2
from tritonclient.utils import serialize_byte_tensor

from cli.connection import LOCAL_USER, local_token
from loadtest import arguments, ending
from loadtest.http import HttpConnection, post
from loadtest.overhead import CONCURRENCY, OK, SETTINGS, Ask, photo, rate
from loadtest.own_stack import own_stack
from stack.command import Command, start, stop
from stack.ports import free_ports
from stack.service import GatewayPart

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Mapping

    from stack.paths import StatePaths
    from stack.state import State


@dataclass(frozen=True, slots=True)
class Inference:
    """One input of a model, as bytes."""

    model: str
    name: str
    datatype: str
    shape: list[int]
    tensor: bytes

    def message(self) -> bytes:
        request = service_pb2.ModelInferRequest(model_name=self.model, raw_input_contents=[self.tensor])
        request.inputs.add(name=self.name, datatype=self.datatype, shape=self.shape)
        return bytes(request.SerializeToString())

    def post(self, headers: Mapping[str, str]) -> bytes:
        parameters = {"binary_data_size": len(self.tensor)}
        tensor = {"name": self.name, "datatype": self.datatype, "shape": self.shape, "parameters": parameters}
        head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
        headers = {**headers, "Inference-Header-Content-Length": str(len(head))}
        return post(f"/v2/models/{self.model}/infer", headers, "application/octet-stream", head + self.tensor)


def inferences() -> list[Inference]:
    encoded = serialize_byte_tensor(np.array([photo()], dtype=np.object_)).item()
    pixels = np.random.default_rng(7).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    return [
        Inference("diagnose", "IMAGES", "BYTES", [1, 1], encoded),
        Inference("classifier", "IMAGE", "UINT8", list(pixels.shape), pixels.tobytes()),
    ]


@asynccontextmanager
async def over_grpc(address: str, headers: Mapping[str, str], inference: Inference) -> AsyncIterator[Ask]:
    message = inference.message()
    async with grpc.aio.insecure_channel(address) as channel:
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")

        async def ask() -> None:
            await infer(message, metadata=tuple(headers.items()))

        yield ask


@asynccontextmanager
async def over_http(address: str, headers: Mapping[str, str], inference: Inference) -> AsyncIterator[Ask]:
    request = inference.post(headers)
    idle: list[HttpConnection] = []

    async def ask() -> None:
        connection = idle.pop() if idle else await HttpConnection.open(address)
        response = await connection.send(request)
        if response.status != OK:
            raise RuntimeError(f"{response.status}: {response.body.decode()}")
        idle.append(connection)

    yield ask
    for connection in idle:
        connection.close()


@asynccontextmanager
async def gateway(paths: StatePaths, state: State) -> AsyncIterator[tuple[str, str]]:
    """A gateway beside the stack's own that shows both models; its addresses for HTTP and gRPC."""
    port, metrics_port, grpc_port = free_ports(3)
    part = GatewayPart(paths, port, metrics_port, state.database_url, state.triton_grpc)
    command = part.command()
    shown = {"FROND_GRPC_PORT": str(grpc_port), "FROND_PROTOCOL_MODELS": "diagnose,classifier"}
    process = start(Command(command.argv, {**command.env, **SETTINGS, **shown}), paths.log("protocol"))
    try:
        async with asyncio.timeout(part.start_seconds):
            while not (await part.look()).is_ready:  # noqa: ASYNC110  (another process)
                await asyncio.sleep(0.1)
        yield part.address, f"127.0.0.1:{grpc_port}"
    finally:
        await asyncio.to_thread(stop, process, part.stop_signal, part.stop_seconds)


async def measure(paths: StatePaths, state: State, options: argparse.Namespace) -> dict[str, float]:
    results: dict[str, float] = {}
    headers = {"authorization": f"Bearer {local_token(LOCAL_USER)}"}
    async with gateway(paths, state) as (http, rpc):
        for inference in inferences():
            for name, transport, alone, through in (
                ("gRPC", over_grpc, state.triton_grpc, rpc),
                ("HTTP", over_http, state.triton_http, http),
            ):
                async with AsyncExitStack() as stack:
                    asks = (
                        await stack.enter_async_context(transport(alone, {}, inference)),
                        await stack.enter_async_context(transport(through, headers, inference)),
                    )
                    title = f"{inference.model} over {name}"
                    results[title] = await ratio(title, *asks, options)
    return results


async def ratio(title: str, ask_triton: Ask, ask_gateway: Ask, options: argparse.Namespace) -> float:
    """The median over rounds, each of which is driven directly and at once afterwards through the gateway."""
    ratios = []
    for _ in range(options.rounds):
        alone = await rate(ask_triton, CONCURRENCY, options.seconds)
        through = await rate(ask_gateway, CONCURRENCY, options.seconds)
        print(f"{title}, requests/s at concurrency {CONCURRENCY}: Triton {alone:.1f}, gateway {through:.1f}")
        ratios.append(through / alone)
    return round(statistics.median(ratios), 3)


def main() -> None:
    parser = arguments.parser("loadtest.protocol", __doc__)
    parser.add_argument("--seconds", type=arguments.positive, default=4, help="a round")
    parser.add_argument("--rounds", type=arguments.whole, default=5, help="the median of them counts")
    options = parser.parse_args()
    with own_stack() as (paths, state):
        results = uvloop.run(measure(paths, state, options))
    print(json.dumps(results))


if __name__ == "__main__":
    ending.run(main)
