"""What the gateway costs: the same photo through it and to `diagnose` directly, in one run, in turns: `make overhead`.

A stack of its own in a temporary folder. Both clients send bytes that were made beforehand, so that what is compared
is the servers. The last line is one JSON object.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import tritonclient.grpc as triton
import uvloop
from PIL import Image
from tritonclient.grpc import service_pb2

from cli.connection import LOCAL_USER, local_token
from cli.sample import draw_sample
from loadtest import arguments, ending
from loadtest.http import HttpConnection, form, post
from loadtest.own_stack import own_stack
from loadtest.round_trips import RoundTrips, counted
from stack.command import Command, start, stop
from stack.ports import free_ports
from stack.service import GatewayPart

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator

    from stack.paths import StatePaths
    from stack.state import State

SIDE = 256
CONCURRENCY = 8
STORED = 100
REQUEST = json.dumps({"assessmentId": "overhead", "plantContext": {"id": "overhead"}}).encode()
# Nothing but requests goes to the database.
SETTINGS = {"FROND_CLEANUP_SECONDS": "0"}
OK = 200

Ask = Callable[[], Awaitable[None]]


def main() -> None:
    parser = arguments.parser("loadtest.overhead", __doc__)
    parser.add_argument("--pairs", type=arguments.whole, default=400, help="requests of each kind at concurrency 1")
    parser.add_argument(
        "--seconds", type=arguments.positive, default=4, help="a round at concurrency 8, and one of replays"
    )
    parser.add_argument("--rounds", type=arguments.whole, default=5, help="the median of them counts")
    options = parser.parse_args()
    with own_stack() as (paths, state):
        results = uvloop.run(measure(paths, state, options))
    print(json.dumps(results))


async def measure(paths: StatePaths, state: State, options: argparse.Namespace) -> dict[str, Any]:
    async with gateway(paths, state, state.database_url) as address, direct(state.triton_grpc) as ask_diagnose:
        client = Client(address)
        overhead = await p50_overhead_ms(ask_diagnose, client.diagnose, options.pairs)
        ratio = await throughput_ratio(ask_diagnose, client.diagnose, options)
        replays = await replays_per_second(client, options)
        client.close()
    async with counted(state.database_url, RoundTrips()) as counter, gateway(paths, state, counter.url) as address:
        return {
            "p50_overhead_ms": overhead,
            "throughput_ratio": ratio,
            "replays_per_s": replays,
            "round_trips": await round_trips(Client(address), counter),
        }


@asynccontextmanager
async def gateway(paths: StatePaths, state: State, database_url: str) -> AsyncIterator[str]:
    """Another process of the gateway beside the stack's own; its address."""
    port, metrics_port = free_ports(2)
    part = GatewayPart(paths, port, metrics_port, database_url, state.triton_grpc)
    command = part.command()
    process = start(Command(command.argv, {**command.env, **SETTINGS}), paths.log("overhead"))
    try:
        async with asyncio.timeout(part.start_seconds):
            while not (await part.look()).is_ready:  # noqa: ASYNC110  (another process)
                await asyncio.sleep(0.1)
        yield part.address
    finally:
        await asyncio.to_thread(stop, process, part.stop_signal, part.stop_seconds)


@asynccontextmanager
async def direct(triton_grpc: str) -> AsyncIterator[Ask]:
    """Asks `diagnose` with one and the same message."""
    image = triton.InferInput("IMAGES", [1, 1], "BYTES")
    image.set_data_from_numpy(np.array([[photo()]], dtype=np.object_))
    request = service_pb2.ModelInferRequest(model_name="diagnose")
    request.inputs.append(image._get_tensor())  # noqa: SLF001  (the client would make the message anew each time)
    request.raw_input_contents.append(image._get_content())  # noqa: SLF001
    message = request.SerializeToString()
    async with grpc.aio.insecure_channel(triton_grpc) as channel:
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")

        async def ask() -> None:
            await infer(message)

        yield ask


class Client:
    """As many connections to the gateway as it has requests in flight."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._idle: list[HttpConnection] = []
        self._token = local_token(LOCAL_USER)
        self._content_type, self._body = form(REQUEST, photo())

    def request(self, key: uuid.UUID) -> bytes:
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": str(key)}
        return post("/v1/ai-inference", headers, self._content_type, self._body)

    async def diagnose(self) -> None:
        await self.send(self.request(uuid.uuid4()))

    async def send(self, request: bytes, *, replayed: bool = False) -> None:
        connection = self._idle.pop() if self._idle else await HttpConnection.open(self._address)
        response = await connection.send(request)
        if response.status != OK or (b"idempotency-replayed" in response.head) != replayed:
            raise RuntimeError(f"{response.status}: {response.body.decode()}")
        self._idle.append(connection)

    def close(self) -> None:
        for connection in self._idle:
            connection.close()


def photo() -> bytes:
    encoded = io.BytesIO()
    picture = Image.open(io.BytesIO(draw_sample())).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    picture.save(encoded, "JPEG", quality=90)
    return encoded.getvalue()


async def p50_overhead_ms(ask_diagnose: Ask, ask_gateway: Ask, pairs: int) -> float:
    """One request at a time, of one kind after the other."""
    times: dict[Ask, list[float]] = {ask_diagnose: [], ask_gateway: []}
    for _ in range(pairs):
        for ask, taken in times.items():
            began = time.perf_counter()
            await ask()
            taken.append((time.perf_counter() - began) * 1000)
    alone, through = (statistics.median(taken[pairs // 10 :]) for taken in times.values())
    print(f"p50 at concurrency 1: diagnose {alone:.2f} ms, gateway {through:.2f} ms")
    return round(through - alone, 2)


async def throughput_ratio(ask_diagnose: Ask, ask_gateway: Ask, options: argparse.Namespace) -> float:
    """The median over rounds, each of which is driven directly and at once afterwards through the gateway."""
    ratios = []
    for _ in range(options.rounds):
        alone = await rate(ask_diagnose, CONCURRENCY, options.seconds)
        through = await rate(ask_gateway, CONCURRENCY, options.seconds)
        print(f"requests/s at concurrency {CONCURRENCY}: diagnose {alone:.1f}, gateway {through:.1f}")
        ratios.append(through / alone)
    return round(statistics.median(ratios), 3)


async def replays_per_second(client: Client, options: argparse.Namespace) -> float:
    """Of answers that are stored already, from one process of the gateway."""
    requests = [client.request(uuid.uuid4()) for _ in range(STORED)]
    for request in requests:
        await client.send(request)
    turns = itertools.cycle(requests)

    async def ask() -> None:
        await client.send(next(turns), replayed=True)

    rates = [await rate(ask, CONCURRENCY, options.seconds) for _ in range(options.rounds)]
    print(f"replays/s at concurrency {CONCURRENCY}: {', '.join(f'{each:.0f}' for each in rates)}")
    return round(statistics.median(rates), 1)


async def rate(ask: Ask, concurrency: int, seconds: float) -> float:
    """Requests a second that ended within the time."""
    count, end = 0, time.perf_counter() + seconds

    async def worker() -> None:
        nonlocal count
        while time.perf_counter() < end:
            await ask()
            count += time.perf_counter() < end

    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return count / seconds


async def round_trips(client: Client, counter: RoundTrips) -> dict[str, int]:
    """To the database, by a request and its replay, once the connection's statements are prepared."""
    request = client.request(uuid.uuid4())
    await client.diagnose()
    counter.take()
    await client.send(request)
    new = counter.take()
    await client.send(request, replayed=True)
    client.close()
    return {"new": new, "replay": counter.take()}


if __name__ == "__main__":
    ending.run(main)
