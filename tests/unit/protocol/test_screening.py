"""Of a stranger's request only what is named here reaches Triton."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from tritonclient.grpc import service_pb2

from gateway.deadline import Deadline
from gateway.errors import InvalidRequestError
from gateway.protocol.messages import Request
from gateway.protocol.screening import MAX_TENSORS, screen

LATER = Deadline(math.inf)


def request(model: str = "diagnose", tensors: int = 0, **fields: Any) -> Request:
    return Request(service_pb2.ModelInferRequest(model_name=model, **fields), [b""] * tensors)


def integer(value: int) -> Any:
    return service_pb2.InferParameter(int64_param=value)


def test_the_timeout_of_a_request_shortens_its_deadline() -> None:
    deadline = screen(request(parameters={"timeout": integer(2_000_000)}), LATER)
    assert 1 < deadline.at - time.monotonic() <= 2


@pytest.mark.parametrize("microseconds", [0, 120_000_000], ids=["none", "longer"])
def test_a_timeout_of_none_or_a_longer_one_changes_nothing(microseconds: int) -> None:
    later = Deadline.after(60)
    assert screen(request(parameters={"timeout": integer(microseconds)}), later) == later


@pytest.mark.parametrize(
    "value",
    [
        integer(-1),
        service_pb2.InferParameter(string_param="5"),
        service_pb2.InferParameter(bool_param=True),
        service_pb2.InferParameter(),
    ],
    ids=str,
)
def test_a_timeout_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequestError, match="timeout"):
        screen(request(parameters={"timeout": value}), LATER)


def test_what_diagnose_understands_is_for_diagnose_alone() -> None:
    parameters = {"top_k": integer(3), "version": service_pb2.InferParameter(string_param="2")}
    assert screen(request(parameters=parameters), LATER) == LATER
    with pytest.raises(InvalidRequestError, match="is not accepted"):
        screen(request("classifier", parameters=parameters), LATER)


@pytest.mark.parametrize("identifier", ["x" * 201, "a\nb", "a\x00"])
def test_an_id_that_could_not_stand_in_a_log_is_refused(identifier: str) -> None:
    with pytest.raises(InvalidRequestError, match="id"):
        screen(request(id=identifier), LATER)


def test_raw_tensors_that_belong_to_no_input_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="one raw tensor for each input"):
        screen(request(tensors=1), LATER)


def test_more_tensors_than_any_model_has_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="tensors"):
        screen(request(tensors=MAX_TENSORS + 1), LATER)
