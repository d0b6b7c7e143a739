"""NVIDIA's client for HTTP, pointed at the gateway with a token, works as with Triton."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferenceServerException, InferInput, InferRequestedOutput

from tests.gateways import png

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tests.integration.protocol.conftest import Served

PHOTO = png(90)


def photo_input(*photos: bytes) -> InferInput:
    tensor = InferInput("IMAGES", [1, len(photos)], "BYTES")
    return tensor.set_data_from_numpy(np.array([photos], dtype=np.object_))


def image_input(pixels: NDArray[np.uint8], *, binary: bool = True) -> InferInput:
    return InferInput("IMAGE", list(pixels.shape), "UINT8").set_data_from_numpy(pixels, binary_data=binary)


async def test_health_needs_no_token(served: Served) -> None:
    answers = await served.over_http(lambda client: (client.is_server_live(), client.is_server_ready()))
    assert answers == (True, True)


async def test_the_server_tells_of_itself_and_not_of_triton(served: Served) -> None:
    metadata = await served.over_http(lambda client: client.get_server_metadata(headers=served.bearer))
    assert metadata["name"] == "frond"
    assert "binary_tensor_data" in metadata["extensions"]


async def test_a_model_is_described_as_triton_describes_it(served: Served) -> None:
    def describe(client: InferenceServerClient) -> list[Any]:
        bearer = served.bearer
        return [
            client.is_model_ready("classifier", headers=bearer),
            client.is_model_ready("classifier", "1", headers=bearer),
            client.is_model_ready("classifier", "7", headers=bearer),
            client.get_model_metadata("classifier", headers=bearer),
            client.get_model_metadata("classifier", "1", headers=bearer),
        ]

    with InferenceServerClient(served.triton.http) as direct:
        expected = direct.get_model_metadata("classifier")
    assert await served.over_http(describe) == [True, True, False, expected, expected]


async def test_the_list_of_models_has_the_visible_ones_with_their_states(served: Served) -> None:
    models = await served.over_http(lambda client: client.get_model_repository_index(headers=served.bearer))
    assert models == [
        {"name": "diagnose", "version": "1", "state": "READY", "reason": ""},
        {"name": "classifier", "version": "1", "state": "READY", "reason": ""},
    ]


async def test_a_photo_sent_as_a_binary_tensor_is_diagnosed(served: Served) -> None:
    def diagnose(client: InferenceServerClient) -> Any:
        outputs = [InferRequestedOutput("DIAGNOSIS")]
        return client.infer(
            "diagnose", [photo_input(PHOTO)], outputs=outputs, headers=served.bearer, parameters={"top_k": 2}
        ).as_numpy("DIAGNOSIS")

    answer = await served.over_http(diagnose)
    assert answer.shape == (1, 1)
    diagnosis = json.loads(answer[0, 0])
    assert len(diagnosis["predictions"]) == 2


@pytest.mark.parametrize("sent", [True, False], ids=["binary in", "JSON in"])
@pytest.mark.parametrize("got", [True, False, None], ids=["binary out", "JSON out", "outputs not named"])
async def test_tensors_give_the_same_logits_as_with_triton(
    served: Served, pixels: NDArray[np.uint8], sent: bool, got: bool | None
) -> None:
    if not sent:
        pixels = pixels[:1]
    outputs = None if got is None else [InferRequestedOutput("LOGITS", binary_data=got)]

    def infer(client: InferenceServerClient) -> Any:
        inputs = [image_input(pixels, binary=sent)]
        result = client.infer("classifier", inputs, "1", outputs, request_id="mine", headers=served.bearer)
        assert result.get_response()["id"] == "mine"
        return result.as_numpy("LOGITS")

    with InferenceServerClient(served.triton.http) as direct:
        expected = direct.infer("classifier", [image_input(pixels)]).as_numpy("LOGITS")
    np.testing.assert_allclose(await served.over_http(infer), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False])
async def test_requests_and_answers_may_be_compressed(
    served: Served, pixels: NDArray[np.uint8], algorithm: str, binary: bool
) -> None:
    leaves = np.repeat(pixels, 8, axis=0)  # so that the logits are worth it

    def infer(client: InferenceServerClient, **options: Any) -> Any:
        outputs = [InferRequestedOutput("LOGITS", binary_data=binary)]
        return client.infer("classifier", [image_input(leaves)], headers=served.bearer, outputs=outputs, **options)

    options = {"request_compression_algorithm": algorithm, "response_compression_algorithm": algorithm}
    plain = await served.over_http(infer)
    packed = await served.over_http(lambda client: infer(client, **options))
    np.testing.assert_allclose(packed.as_numpy("LOGITS"), plain.as_numpy("LOGITS"), rtol=1e-4, atol=1e-4)


async def test_an_answer_is_compressed_where_that_is_asked_for(served: Served, pixels: NDArray[np.uint8]) -> None:
    request, length = InferenceServerClient.generate_request_body([image_input(np.repeat(pixels, 8, axis=0))])
    headers = served.bearer | {"Inference-Header-Content-Length": str(length)}
    answers = [
        await served.client.post("/v2/models/classifier/infer", content=request, headers=headers | accepted)
        for accepted in ({"Accept-Encoding": "identity"}, {"Accept-Encoding": "gzip"})
    ]
    assert [answer.headers.get("content-encoding") for answer in answers] == [None, "gzip"]
    assert len({int(answer.headers["content-length"]) for answer in answers}) == 2


def wrong_shape(client: InferenceServerClient, headers: dict[str, str]) -> None:
    client.infer("classifier", [image_input(np.zeros((1, 8, 8, 3), np.uint8))], headers=headers)


def wrong_name(client: InferenceServerClient, headers: dict[str, str]) -> None:
    tensor = InferInput("PICTURE", [1], "UINT8").set_data_from_numpy(np.zeros(1, np.uint8))
    client.infer("classifier", [tensor], headers=headers)


def no_such_version(client: InferenceServerClient, headers: dict[str, str]) -> None:
    client.get_model_metadata("classifier", "9", headers=headers)


def no_such_model(client: InferenceServerClient, headers: dict[str, str]) -> None:
    client.get_model_metadata("nothing", headers=headers)


@pytest.mark.parametrize("mistake", [wrong_shape, wrong_name, no_such_version, no_such_model])
async def test_a_mistake_gets_tritons_own_words_and_status(
    served: Served, mistake: Callable[[InferenceServerClient, dict[str, str]], None]
) -> None:
    with InferenceServerClient(served.triton.http) as direct, pytest.raises(InferenceServerException) as expected:
        mistake(direct, {})
    with pytest.raises(InferenceServerException) as raised:
        await served.over_http(lambda client: mistake(client, served.bearer))
    assert raised.value.status() == expected.value.status()
    assert raised.value.message() == expected.value.message()


async def test_without_a_token_nothing_but_health_is_answered(served: Served) -> None:
    for work in (
        lambda client: client.get_server_metadata(),
        lambda client: client.get_model_metadata("diagnose"),
        lambda client: client.get_model_repository_index(),
        lambda client: client.infer("diagnose", [photo_input(PHOTO)]),
    ):
        with pytest.raises(InferenceServerException, match="Authorization header is missing") as raised:
            await served.over_http(work)
        assert raised.value.status() == "401"


FORBIDDEN: dict[str, Callable[[InferenceServerClient, dict[str, str]], Any]] = {
    "config": lambda client, headers: client.get_model_config("diagnose", headers=headers),
    "statistics": lambda client, headers: client.get_inference_statistics(headers=headers),
    "statistics of a model": lambda client, headers: client.get_inference_statistics("diagnose", headers=headers),
    "load": lambda client, headers: client.load_model("diagnose", headers=headers),
    "unload": lambda client, headers: client.unload_model("diagnose", headers=headers),
    "trace": lambda client, headers: client.get_trace_settings(headers=headers),
    "set trace": lambda client, headers: client.update_trace_settings(settings={}, headers=headers),
    "log": lambda client, headers: client.get_log_settings(headers=headers),
    "set log": lambda client, headers: client.update_log_settings({}, headers=headers),
    "shared memory": lambda client, headers: client.get_system_shared_memory_status(headers=headers),
    "register": lambda client, headers: client.register_system_shared_memory("x", "/x", 8, headers=headers),
    "unregister": lambda client, headers: client.unregister_system_shared_memory(headers=headers),
    "cuda memory": lambda client, headers: client.get_cuda_shared_memory_status(headers=headers),
    "register cuda": lambda client, headers: client.register_cuda_shared_memory("x", b"x", 0, 8, headers=headers),
    "unregister cuda": lambda client, headers: client.unregister_cuda_shared_memory(headers=headers),
}


@pytest.mark.parametrize("call", FORBIDDEN.values(), ids=FORBIDDEN)
async def test_tritons_control_is_not_there(
    served: Served, call: Callable[[InferenceServerClient, dict[str, str]], Any]
) -> None:
    with pytest.raises(InferenceServerException) as raised:
        await served.over_http(lambda client: call(client, served.bearer))
    assert raised.value.status() == "404"


def from_memory(client: InferenceServerClient, headers: dict[str, str]) -> None:
    tensor = InferInput("IMAGE", [1, 224, 224, 3], "UINT8")
    tensor.set_shared_memory("region", 150528)
    client.infer("classifier", [tensor], headers=headers)


def into_memory(client: InferenceServerClient, headers: dict[str, str]) -> None:
    output = InferRequestedOutput("DIAGNOSIS")
    output.set_shared_memory("region", 64)
    client.infer("diagnose", [photo_input(PHOTO)], outputs=[output], headers=headers)


def first_in_the_queue(client: InferenceServerClient, headers: dict[str, str]) -> None:
    client.infer("diagnose", [photo_input(PHOTO)], priority=1, headers=headers)


def sequence(client: InferenceServerClient, headers: dict[str, str]) -> None:
    client.infer("diagnose", [photo_input(PHOTO)], sequence_id=1, sequence_start=True, headers=headers)


@pytest.mark.parametrize("trick", [from_memory, into_memory, first_in_the_queue, sequence])
async def test_orders_to_the_server_in_a_request_are_refused(
    served: Served, trick: Callable[[InferenceServerClient, dict[str, str]], None]
) -> None:
    with pytest.raises(InferenceServerException) as raised:
        await served.over_http(lambda client: trick(client, served.bearer))
    assert raised.value.status() == "400"
    assert "is not accepted" in raised.value.message()
