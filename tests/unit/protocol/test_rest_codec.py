"""JSON requests, with tensors in them or behind them, and the answers in the same form."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2

from gateway.errors import GatewayError, InvalidRequestError
from gateway.protocol.messages import Request, Response
from gateway.protocol.rest import codec

INPUT = {"name": "IMAGE", "datatype": "UINT8", "shape": [1, 3]}


def request(*inputs: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps({"inputs": list(inputs) or [{**INPUT, "data": [1, 2, 3]}], **fields}).encode()


def read(content: bytes, binary: bytes = b"", **headers: str) -> tuple[Request, codec.Wanted]:
    length = {codec.HEAD_LENGTH: str(len(content))} if binary else {}
    return codec.read(content + binary, {**length, **headers}, "diagnose", "")


def test_tensors_behind_the_json_are_cut_by_their_sizes_in_the_order_of_the_inputs() -> None:
    content = request(
        {**INPUT, "name": "a", "parameters": {"binary_data_size": 3}},
        {**INPUT, "name": "b", "data": [[7, 8, 9]]},
        {**INPUT, "name": "c", "parameters": {"binary_data_size": 2}},
    )
    asked, _ = read(content, b"abcde")
    assert [bytes(tensor) for tensor in asked.tensors] == [b"abc", b"\x07\x08\x09", b"de"]
    assert [(each.name, each.datatype, list(each.shape)) for each in asked.head.inputs] == [
        ("a", "UINT8", [1, 3]),
        ("b", "UINT8", [1, 3]),
        ("c", "UINT8", [1, 3]),
    ]
    assert not any(each.parameters for each in asked.head.inputs)


@pytest.mark.parametrize(
    ("inputs", "binary", "words"),
    [
        ({"parameters": {"binary_data_size": 4}}, b"abc", "more than there is"),
        ({"parameters": {"binary_data_size": 2}}, b"abc", "1 bytes behind the JSON"),
        ({"parameters": {"binary_data_size": -1}}, b"abc", "no size"),
        ({"parameters": {"binary_data_size": True}}, b"abc", "no size"),
        ({"parameters": {"binary_data_size": 3}, "data": [1]}, b"abc", "not both"),
        ({}, b"", "not both"),
        ({"data": [1, 2, 300]}, b"", "no UINT8"),
        ({"data": [1, 2, 3], "shape": [-1]}, b"", "shape"),
        ({"data": [1, 2, 3], "parameters": {"shared_memory_region": "x"}}, b"", "is not accepted"),
    ],
)
def test_what_contradicts_itself_is_refused_in_words(inputs: dict[str, Any], binary: bytes, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        read(request({**INPUT, **inputs}), binary)


@pytest.mark.parametrize("length", ["0", "-1", "x", "9999999", "9" * 5000, "١"])
def test_a_length_of_the_json_that_cannot_be_is_refused(length: str) -> None:
    with pytest.raises(InvalidRequestError, match="Inference-Header-Content-Length"):
        codec.read(request(), {codec.HEAD_LENGTH: length}, "diagnose", "")


@given(st.one_of(st.binary(max_size=60), st.from_regex(rb"\[*\{?\"inputs\": ?\[+", fullmatch=True)))
def test_any_body_is_a_request_or_refused(content: bytes) -> None:
    try:
        codec.read(content, {}, "diagnose", "")
    except GatewayError:
        return


def test_json_that_is_nested_without_end_is_refused() -> None:
    with pytest.raises(InvalidRequestError):
        codec.read(b'{"inputs": ' + b"[" * 100_000, {}, "diagnose", "")


def response(*outputs: tuple[str, str, bytes]) -> Response:
    answer = service_pb2.ModelInferResponse(model_name="m", model_version="1", id="mine")
    for name, datatype, content in outputs:
        answer.outputs.add(name=name, datatype=datatype, shape=[1, -1])
        answer.raw_output_contents.append(content)
    return Response.parse(answer.SerializeToString())


def test_each_output_is_where_it_was_asked_for() -> None:
    outputs = [{"name": "a", "parameters": {"binary_data": True}}, {"name": "b"}]
    _, wanted = read(request(outputs=outputs))
    answered = response(("a", "FP32", struct.pack("<f", 0.5)), ("b", "INT16", struct.pack("<h", -3)))
    content, length = codec.write(answered, wanted)
    assert length is not None
    assert json.loads(content[:length]) == {
        "id": "mine",
        "model_name": "m",
        "model_version": "1",
        "outputs": [
            {"name": "a", "datatype": "FP32", "shape": [1, -1], "parameters": {"binary_data_size": 4}},
            {"name": "b", "datatype": "INT16", "shape": [1, -1], "data": [-3]},
        ],
    }
    assert content[length:] == struct.pack("<f", 0.5)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_number_that_json_does_not_know_is_told(number: float) -> None:
    _, wanted = read(request())
    with pytest.raises(InvalidRequestError, match="ask for binary data"):
        codec.write(response(("a", "FP64", struct.pack("<d", number))), wanted)
