"""What holds for a diagnosis holds for tensors: rates, deadlines, sizes, memory, hang-ups, and a Triton that is out."""

from __future__ import annotations

import asyncio
import gzip
import struct
import time
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tritonclient.grpc import InferInput, service_pb2

from gateway.protocol.messages import MAX_HEAD_BYTES, MAX_MESSAGE_BYTES
from stack.ports import free_ports
from tests.fake_triton import FakeTriton, serving
from tests.gateways import BOB, png

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import httpx2

    from tests.integration.protocol.conftest import Served

INFER = "/v2/models/diagnose/infer"
RPC = "/inference.GRPCInferenceService/ModelInfer"
TEXT = {"inputs": [{"name": "IMAGES", "datatype": "BYTES", "shape": [1, 1], "data": ["no photo"]}]}


@pytest.fixture
async def fake() -> AsyncIterator[tuple[FakeTriton, str]]:
    fake = FakeTriton()
    async with serving(fake) as address:
        yield fake, address


async def post(gateway: Served, **headers: str) -> httpx2.Response:
    return await gateway.client.post(INFER, json=TEXT, headers=gateway.bearer | headers)


def message(parameters: dict[str, int] | None = None) -> bytes:
    request = service_pb2.ModelInferRequest(model_name="diagnose", raw_input_contents=[b"\x01\x00\x00\x00x"])
    request.inputs.add(name="IMAGES", datatype="BYTES", shape=[1, 1])
    for name, value in (parameters or {}).items():
        request.parameters[name].int64_param = value
    return bytes(request.SerializeToString())


async def call(gateway: Served, content: bytes, **options: Any) -> bytes:
    async with grpc.aio.insecure_channel(gateway.grpc, options=[("grpc.max_send_message_length", -1)]) as channel:
        answer: bytes = await channel.unary_unary(RPC)(content, metadata=tuple(gateway.bearer.items()), **options)
        return answer


async def status_of(gateway: Served, content: bytes, **options: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call(gateway, content, **options)
    return raised.value.code(), raised.value.details() or ""


async def test_both_transports_and_diagnoses_spend_one_allowance(open_gateway: Callable[..., Any]) -> None:
    async with open_gateway(rate_limit_burst=3, rate_limit_per_minute=1) as gateway:
        headers = {"authorization": f"Bearer {gateway.key.token(BOB)}"}
        first = await gateway.client.post(INFER, json=TEXT, headers=headers)
        assert first.headers["ratelimit"].startswith('"user";r=2')
        assert (await gateway.diagnose(png(3), user=BOB)).status_code == 200
        async with gateway.over_grpc() as client:
            assert await client.is_model_ready("diagnose", headers=headers)
        refused = await gateway.client.post(INFER, json=TEXT, headers=headers)
        assert (refused.status_code, refused.json()) == (429, {"error": refused.json()["error"]})
        assert int(refused.headers["retry-after"]) > 0
        async with grpc.aio.insecure_channel(gateway.grpc) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await channel.unary_unary(RPC)(message(), metadata=tuple(headers.items()))
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert int(dict(raised.value.trailing_metadata())["retry-after-ms"]) > 0


async def test_the_callers_deadline_ends_the_call(
    open_gateway: Callable[..., Any], fake: tuple[FakeTriton, str]
) -> None:
    triton, address = fake
    triton.gate = asyncio.Event()
    async with open_gateway(triton_grpc=address) as gateway:
        started = time.monotonic()
        late = await post(gateway, **{"X-Frond-Deadline-Ms": "300"})
        assert late.status_code == 504
        assert (await status_of(gateway, message(), timeout=0.3))[0] is grpc.StatusCode.DEADLINE_EXCEEDED
        code, _ = await status_of(gateway, message({"timeout": 300_000}))
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert time.monotonic() - started < 4


async def test_triton_gets_what_is_left_and_nothing_of_what_was_asked_instead(
    open_gateway: Callable[..., Any], fake: tuple[FakeTriton, str]
) -> None:
    triton, address = fake
    async with open_gateway(triton_grpc=address) as gateway:
        await call(gateway, message({"timeout": 2_000_000, "top_k": 3}), timeout=30)
    (request,) = triton.requests
    parameters = {name: value.int64_param for name, value in request.parameters.items()}
    assert 1_000_000 < parameters.pop("timeout") <= 2_000_000
    assert 1000 < parameters.pop("budget_ms") <= 2000
    assert parameters == {"top_k": 3}
    assert list(request.raw_input_contents) == [b"\x01\x00\x00\x00x"]


@pytest.mark.parametrize("transport", ["http", "grpc"])
async def test_who_hangs_up_cancels_the_call_in_triton(
    open_gateway: Callable[..., Any], fake: tuple[FakeTriton, str], transport: str
) -> None:
    triton, address = fake
    async with open_gateway(triton_grpc=address) as gateway:
        triton.gate = asyncio.Event()
        work = post(gateway) if transport == "http" else call(gateway, message())
        waiting = asyncio.create_task(work)
        await asyncio.wait_for(triton.arrived.wait(), 10)
        waiting.cancel()
        await asyncio.wait_for(triton.cancelled.wait(), 10)
        await asyncio.gather(waiting, return_exceptions=True)


async def test_a_call_in_flight_is_finished_before_the_gateway_goes(
    open_gateway: Callable[..., Any], fake: tuple[FakeTriton, str]
) -> None:
    triton, address = fake
    triton.gate = asyncio.Event()
    async with open_gateway(triton_grpc=address) as gateway:
        waiting = asyncio.create_task(call(gateway, message()))
        await asyncio.wait_for(triton.arrived.wait(), 10)
        asyncio.get_running_loop().call_later(0.3, triton.gate.set)
    assert await waiting


async def test_a_body_over_the_cap_is_refused_by_both(served: Served) -> None:
    too_large = bytes(MAX_MESSAGE_BYTES + 1)
    assert (await served.client.post(INFER, content=too_large, headers=served.bearer)).status_code == 413
    code, _ = await status_of(served, too_large)
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await served.client.get("/v2", headers=served.bearer)).status_code == 200


async def test_a_large_head_is_told_to_send_its_tensors_raw(served: Served) -> None:
    request = service_pb2.ModelInferRequest(model_name="diagnose")
    request.inputs.add(name="IMAGES").contents.bytes_contents.append(bytes(MAX_HEAD_BYTES))
    code, words = await status_of(served, request.SerializeToString())
    assert (code, "raw_input_contents" in words) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)
    text = {"inputs": [{**TEXT["inputs"][0], "data": ["x" * MAX_HEAD_BYTES]}]}
    response = await served.client.post(INFER, json=text, headers=served.bearer)
    assert (response.status_code, "binary data" in response.json()["error"]) == (400, True)


async def test_what_is_held_counts_over_both_transports(
    open_gateway: Callable[..., Any], fake: tuple[FakeTriton, str]
) -> None:
    _, address = fake
    request = service_pb2.ModelInferRequest.FromString(message())
    size = 20 * 1024 * 1024
    request.raw_input_contents[0] = struct.pack("<I", size) + bytes(size)
    sent, over = asyncio.Semaphore(0), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(1024 * 1024)
        sent.release()
        await over.wait()

    async with open_gateway(triton_grpc=address, max_held_bytes=161 * 1024 * 1024) as gateway:
        holding = [
            asyncio.create_task(gateway.client.post(INFER, content=slowly(), headers=gateway.bearer)) for _ in range(8)
        ]
        for _ in holding:
            await sent.acquire()
        code, words = await status_of(gateway, request.SerializeToString())
        assert (code, "worked on" in words) == (grpc.StatusCode.UNAVAILABLE, True)
        over.set()
        assert {response.status_code for response in await asyncio.gather(*holding)} == {400}
        assert await call(gateway, request.SerializeToString())  # all of it was given back


@pytest.mark.parametrize("transport", ["http", "grpc"])
async def test_a_bomb_is_refused_before_it_is_unpacked(served: Served, transport: str) -> None:
    """Of 256 MiB of zeros, which come as 256 KiB."""
    if transport == "http":
        headers = served.bearer | {"Content-Encoding": "gzip"}
        response = await served.client.post(INFER, content=gzip.compress(bytes(256 * 1024 * 1024)), headers=headers)
        assert (response.status_code, "Unpacked" in response.json()["error"]) == (413, True)
    else:
        code, words = await status_of(served, bytes(256 * 1024 * 1024), compression=grpc.Compression.Gzip)
        assert (code, "Unpacked" in words) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)


async def test_a_compression_that_nobody_here_knows_is_refused(served: Served) -> None:
    headers = served.bearer | {"Content-Encoding": "br"}
    response = await served.client.post(INFER, content=b"x", headers=headers)
    assert (response.status_code, "gzip" in response.json()["error"]) == (415, True)


async def test_a_triton_that_is_out_is_told_without_its_address(open_gateway: Callable[..., Any]) -> None:
    (port,) = free_ports(1)
    async with open_gateway(triton_grpc=f"127.0.0.1:{port}") as gateway:
        response = await post(gateway)
        code, words = await status_of(gateway, message())
        assert (response.status_code, code) == (503, grpc.StatusCode.UNAVAILABLE)
        assert "127.0.0.1" not in response.text + words
        assert str(port) not in response.text + words
        assert (await gateway.client.get("/v2/health/ready")).status_code == 503
        async with gateway.over_grpc() as client:
            assert not await client.is_server_ready()


async def test_a_model_that_is_not_named_is_not_there(open_gateway: Callable[..., Any]) -> None:
    async with open_gateway(protocol_models="diagnose") as gateway, gateway.over_grpc() as client:
        assert (await gateway.client.get("/v2/models/classifier", headers=gateway.bearer)).status_code == 404
        tensor = InferInput("IMAGE", [1, 224, 224, 3], "UINT8")
        tensor.set_data_from_numpy(np.zeros((1, 224, 224, 3), np.uint8))
        with pytest.raises(Exception, match="unknown model: 'classifier'"):
            await client.infer("classifier", [tensor], headers=gateway.bearer)
        index = await client.get_model_repository_index(headers=gateway.bearer)
        assert [model.name for model in index.models] == ["diagnose"]


async def test_a_strangers_tensors_do_not_close_the_way_for_others(
    open_gateway: Callable[..., Any], fake: tuple[FakeTriton, str]
) -> None:
    """Calls that fail make the probe look, and only what it finds counts."""
    triton, address = fake
    async with open_gateway(triton_grpc=address) as gateway:
        await gateway.client.get("/health/ready")
        probes = len(triton.probes)
        for failure in [grpc.StatusCode.INTERNAL] * 6:
            triton.failure_of_strangers = failure
            assert (await status_of(gateway, message()))[0] is grpc.StatusCode.UNAVAILABLE
        triton.failure_of_strangers = None
        assert await call(gateway, message())
        assert len(triton.probes) > probes


async def test_calls_of_both_transports_are_counted_by_their_routes(open_gateway: Callable[..., Any]) -> None:
    (port,) = free_ports(1)
    async with open_gateway(metrics_port=port) as gateway:
        await post(gateway)
        await status_of(gateway, message({"priority": 1}))
        text = (await gateway.client.get(f"http://127.0.0.1:{port}/metrics")).text
    counted = {
        (sample.labels["route"], sample.labels["status"])
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "frond_gateway_requests_total"
    }
    assert {("/v2/models/{model}/infer", "200"), (RPC, "422")} <= counted
