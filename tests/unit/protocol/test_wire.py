"""A message is taken apart as protobuf itself would, without its tensors being parsed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2

from gateway.errors import BodyTooLargeError, MalformedRequestError
from gateway.inference.codec import varint
from gateway.protocol.messages import MAX_HEAD_BYTES, Request
from gateway.protocol.wire import MAX_FIELDS, WireError, split

TENSORS = st.lists(st.binary(max_size=300), max_size=6)


def message(name: str, inputs: list[str], tensors: list[bytes]) -> bytes:
    request = service_pb2.ModelInferRequest(model_name=name, raw_input_contents=tensors)
    for each in inputs:
        request.inputs.add(name=each, shape=[1, -1])
    return bytes(request.SerializeToString())


@given(name=st.text(max_size=20), inputs=st.lists(st.text(max_size=9), max_size=4), tensors=TENSORS)
def test_head_and_tensors_are_those_that_were_written(name: str, inputs: list[str], tensors: list[bytes]) -> None:
    request = Request.parse(message(name, inputs, tensors))
    assert request.head.model_name == name
    assert [each.name for each in request.head.inputs] == inputs
    assert list(request.tensors) == tensors
    assert not request.head.raw_input_contents


@given(name=st.text(max_size=20), inputs=st.lists(st.text(max_size=9), max_size=4), tensors=TENSORS)
def test_what_is_written_anew_says_the_same(name: str, inputs: list[str], tensors: list[bytes]) -> None:
    content = message(name, inputs, tensors)
    again = service_pb2.ModelInferRequest.FromString(Request.parse(content).encode())
    assert again == service_pb2.ModelInferRequest.FromString(content)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(content: bytes) -> None:
    try:
        request = Request.parse(content)
    except MalformedRequestError:
        return
    assert service_pb2.ModelInferRequest.FromString(request.encode()) is not None


@given(st.data())
def test_a_message_that_is_cut_off_is_none_or_a_shorter_one(data: st.DataObject) -> None:
    content = message("diagnose", ["a"], [b"x" * 50])
    end = data.draw(st.integers(0, len(content) - 1))
    try:
        request = Request.parse(content[:end])
    except MalformedRequestError:
        return
    assert list(request.tensors) in ([], [b"x" * 50])


def test_fields_that_our_protocol_does_not_know_do_not_reach_triton() -> None:
    unknown = varint(99 << 3 | 2) + varint(5) + b"order"
    request = Request.parse(message("diagnose", ["a"], [b"x"]) + unknown)
    assert b"order" not in request.encode()


def test_a_model_that_is_named_twice_is_for_triton_the_one_that_was_looked_at() -> None:
    request = Request.parse(message("classifier", [], []) + message("diagnose", [], []))
    assert request.head.model_name == "diagnose"
    assert b"classifier" not in request.encode()


def test_tensors_are_not_copied() -> None:
    content = message("diagnose", [], [b"x" * 1000])
    assert Request.parse(content).tensors[0].obj is content  # type: ignore[union-attr]


def test_a_message_of_many_small_fields_is_refused_before_it_is_read() -> None:
    with pytest.raises(WireError, match="more than"):
        split(message("", [], [b""] * (MAX_FIELDS + 1)), 7)


def test_a_head_as_large_as_a_tensor_is_refused() -> None:
    with pytest.raises(BodyTooLargeError, match="raw_input_contents"):
        Request.parse(message("x" * (MAX_HEAD_BYTES + 1), [], []))


@pytest.mark.parametrize("content", [b"\x3a\xff", b"\x3a", b"\x3b", b"\x09abc", b"\xff" * 11], ids=bytes.hex)
def test_what_ends_within_a_field_is_refused(content: bytes) -> None:
    with pytest.raises(WireError):
        split(content, 7)
