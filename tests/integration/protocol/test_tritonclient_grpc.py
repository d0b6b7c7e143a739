"""NVIDIA's client for gRPC, pointed at the gateway with a token, works as with Triton."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc
from tritonclient.grpc import InferInput, InferRequestedOutput, service_pb2
from tritonclient.utils import InferenceServerException

from tests.gateways import png

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from numpy.typing import NDArray

    from tests.integration.protocol.conftest import Served

PHOTO = png(90)


def photo_input(*photos: bytes) -> InferInput:
    tensor = InferInput("IMAGES", [1, len(photos)], "BYTES")
    return tensor.set_data_from_numpy(np.array([photos], dtype=np.object_))


def image_input(pixels: NDArray[np.uint8]) -> InferInput:
    return InferInput("IMAGE", list(pixels.shape), "UINT8").set_data_from_numpy(pixels)


async def test_health_needs_no_token(served: Served) -> None:
    async with served.over_grpc() as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()


async def test_the_server_tells_of_itself_and_not_of_triton(served: Served) -> None:
    async with served.over_grpc() as client:
        assert (await client.get_server_metadata(headers=served.bearer)).name == "frond"


async def test_a_model_is_described_as_triton_describes_it(served: Served) -> None:
    async with served.over_grpc(served.triton.grpc) as direct:
        expected = await direct.get_model_metadata("classifier")
    async with served.over_grpc() as client:
        assert await client.is_model_ready("classifier", headers=served.bearer)
        assert await client.is_model_ready("classifier", "1", headers=served.bearer)
        assert not await client.is_model_ready("classifier", "7", headers=served.bearer)
        assert await client.get_model_metadata("classifier", headers=served.bearer) == expected


async def test_the_list_of_models_has_the_visible_ones_with_their_states(served: Served) -> None:
    async with served.over_grpc() as client:
        index = await client.get_model_repository_index(headers=served.bearer)
    assert [(model.name, model.version, model.state) for model in index.models] == [
        ("diagnose", "1", "READY"),
        ("classifier", "1", "READY"),
    ]


async def test_a_photo_is_diagnosed(served: Served) -> None:
    async with served.over_grpc() as client:
        result = await client.infer(
            "diagnose", [photo_input(PHOTO)], headers=served.bearer, parameters={"top_k": 2}, client_timeout=10
        )
    assert len(json.loads(result.as_numpy("DIAGNOSIS")[0, 0])["predictions"]) == 2


@pytest.mark.parametrize("named", [True, False], ids=["outputs named", "outputs not named"])
async def test_tensors_give_the_same_logits_as_with_triton(
    served: Served, pixels: NDArray[np.uint8], named: bool
) -> None:
    outputs = [InferRequestedOutput("LOGITS")] if named else None
    async with served.over_grpc(served.triton.grpc) as direct:
        expected = (await direct.infer("classifier", [image_input(pixels)])).as_numpy("LOGITS")
    async with served.over_grpc() as client:
        result = await client.infer(
            "classifier", [image_input(pixels)], "1", outputs, request_id="mine", headers=served.bearer
        )
    assert result.get_response().id == "mine"
    np.testing.assert_allclose(result.as_numpy("LOGITS"), expected, rtol=1e-4, atol=1e-4)


async def test_the_synchronous_client_works_as_well(served: Served, pixels: NDArray[np.uint8]) -> None:
    def infer() -> Any:
        with tritonclient.grpc.InferenceServerClient(served.grpc) as client:
            result = client.infer(
                "classifier", [image_input(pixels)], headers=served.bearer, outputs=[InferRequestedOutput("LOGITS", 3)]
            )
            return result.as_numpy("LOGITS")

    assert (await asyncio.to_thread(infer)).shape == (2, 3)  # the three largest as text: Triton's classification


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
async def test_a_request_may_be_compressed(served: Served, pixels: NDArray[np.uint8], algorithm: str) -> None:
    dark = np.zeros_like(pixels)  # gRPC leaves as it is what does not shrink
    async with served.over_grpc() as client:
        plain = await client.infer("classifier", [image_input(pixels)], headers=served.bearer)
        packed = await client.infer(
            "classifier", [image_input(dark)], headers=served.bearer, compression_algorithm=algorithm
        )
        same = await client.infer("classifier", [image_input(dark)], headers=served.bearer)
    np.testing.assert_allclose(packed.as_numpy("LOGITS"), same.as_numpy("LOGITS"), rtol=1e-4, atol=1e-4)
    assert not np.allclose(packed.as_numpy("LOGITS"), plain.as_numpy("LOGITS"))


async def wrong_shape(client: Any, headers: dict[str, str]) -> None:
    await client.infer("classifier", [image_input(np.zeros((1, 8, 8, 3), np.uint8))], headers=headers)


async def wrong_name(client: Any, headers: dict[str, str]) -> None:
    tensor = InferInput("PICTURE", [1], "UINT8").set_data_from_numpy(np.zeros(1, np.uint8))
    await client.infer("classifier", [tensor], headers=headers)


async def no_such_version(client: Any, headers: dict[str, str]) -> None:
    await client.get_model_metadata("classifier", "9", headers=headers)


async def no_such_model(client: Any, headers: dict[str, str]) -> None:
    await client.get_model_metadata("nothing", headers=headers)


@pytest.mark.parametrize("mistake", [wrong_shape, wrong_name, no_such_version, no_such_model])
async def test_a_mistake_gets_tritons_own_words_and_status(
    served: Served, mistake: Callable[[Any, dict[str, str]], Awaitable[None]]
) -> None:
    async with served.over_grpc(served.triton.grpc) as direct:
        with pytest.raises(InferenceServerException) as expected:
            await mistake(direct, {})
    async with served.over_grpc() as client:
        with pytest.raises(InferenceServerException) as raised:
            await mistake(client, served.bearer)
    assert raised.value.status() == expected.value.status()
    assert raised.value.message() == expected.value.message()


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer no.such.token"}], ids=["none", "wrong"])
async def test_without_a_good_token_nothing_but_health_is_answered(served: Served, headers: dict[str, str]) -> None:
    async with served.over_grpc() as client:
        for call in (
            client.get_server_metadata(headers=headers),
            client.get_model_metadata("diagnose", headers=headers),
            client.is_model_ready("diagnose", headers=headers),
            client.get_model_repository_index(headers=headers),
            client.infer("diagnose", [photo_input(PHOTO)], headers=headers),
        ):
            with pytest.raises(InferenceServerException) as raised:
                await call
            assert raised.value.status() == "StatusCode.UNAUTHENTICATED"


OFFERED = {
    "ServerLive",
    "ServerReady",
    "ServerMetadata",
    "ModelReady",
    "ModelMetadata",
    "ModelInfer",
    "RepositoryIndex",
}
METHODS = {method.name for method in service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods}


class Recorder(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Stands in for Triton: notes which methods arrive, and knows none."""

    def __init__(self) -> None:
        self.methods: set[str] = set()

    def service(self, handler_call_details: Any) -> None:
        self.methods.add(handler_call_details.method.rpartition("/")[2])


@pytest.fixture
async def recorder() -> AsyncIterator[tuple[Recorder, str]]:
    server = grpc.aio.server()
    recorder = Recorder()
    server.add_generic_rpc_handlers((recorder,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield recorder, f"127.0.0.1:{port}"
    await server.stop(None)


async def test_every_other_method_is_unimplemented_and_never_reaches_triton(
    open_gateway: Callable[..., Any], recorder: tuple[Recorder, str]
) -> None:
    noted, address = recorder
    async with open_gateway(triton_grpc=address) as gateway, grpc.aio.insecure_channel(gateway.grpc) as channel:
        for name in sorted(METHODS - OFFERED):
            call = channel.unary_unary(f"/inference.GRPCInferenceService/{name}")
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await call(b"", metadata=tuple(gateway.bearer.items()))
            assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert noted.methods <= {"ModelInfer"}  # the gateway's own probe


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("request", "priority"),
        ("request", "sequence_id"),
        ("request", "budget_ms"),
        ("request", "triton_enable_empty_final_response"),
        ("input", "shared_memory_region"),
        ("input", "binary_data_size"),
        ("output", "shared_memory_region"),
    ],
)
async def test_orders_to_the_server_in_a_request_are_refused(
    open_gateway: Callable[..., Any], recorder: tuple[Recorder, str], place: str, name: str
) -> None:
    noted, address = recorder
    request = service_pb2.ModelInferRequest(model_name="diagnose")
    targets = {"request": request, "input": request.inputs.add(), "output": request.outputs.add()}
    targets[place].parameters[name].int64_param = 1
    async with open_gateway(triton_grpc=address) as gateway, grpc.aio.insecure_channel(gateway.grpc) as channel:
        noted.methods.clear()
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        with pytest.raises(grpc.aio.AioRpcError, match=f"'{name}' is not accepted") as raised:
            await infer(request.SerializeToString(), metadata=tuple(gateway.bearer.items()))
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
