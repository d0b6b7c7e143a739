"""Tensors as JSON hold the same elements as the bytes that Triton gets."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tritonclient.utils import deserialize_bytes_tensor, serialize_byte_tensor, triton_to_np_dtype

from gateway.errors import InvalidRequestError, ModelAnswerError
from gateway.protocol.rest import numbers

TYPES = ["BOOL", *numbers.CODES]


@given(st.data())
def test_elements_are_the_bytes_that_numpy_makes_of_them_and_back(data: st.DataObject) -> None:
    datatype = data.draw(st.sampled_from(TYPES))
    shape = data.draw(arrays.array_shapes(max_dims=3, max_side=4))
    dtype = np.dtype(triton_to_np_dtype(datatype))
    options: dict[str, Any] = {"allow_nan": False, "allow_infinity": False} if dtype.kind == "f" else {}
    tensor = data.draw(arrays.arrays(dtype, shape, elements=arrays.from_dtype(dtype, **options)))
    nested = json.loads(json.dumps(tensor.tolist()))
    assert numbers.encode(datatype, nested) == tensor.tobytes()
    assert numbers.decode(datatype, memoryview(tensor.tobytes())) == tensor.ravel().tolist()


@given(st.lists(st.text(max_size=20), max_size=5))
def test_texts_are_written_as_the_client_writes_them(texts: list[str]) -> None:
    content = numbers.encode("BYTES", texts)
    expected = serialize_byte_tensor(np.array([text.encode() for text in texts], dtype=np.object_))
    assert content == (expected.item() if expected.size else b"")
    assert numbers.decode("BYTES", memoryview(content)) == texts
    assert [element.decode() for element in deserialize_bytes_tensor(content)] == texts


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        ("UINT8", [256]),
        ("UINT8", [-1]),
        ("UINT8", [1.5]),
        ("INT64", [2**63]),
        ("FP32", ["1"]),
        ("BOOL", [2]),
        ("BYTES", [1]),
        ("BYTES", ["\ud800"]),
        ("INT32", [[1], 2]),
        ("INT32", [1, [2]]),
        ("INT32", [None]),
        ("FP16", [1.0]),
        ("BF16", [1.0]),
        ("NOTHING", [1]),
    ],
)
def test_an_element_of_another_type_is_refused(datatype: str, data: list[Any]) -> None:
    with pytest.raises(InvalidRequestError):
        numbers.encode(datatype, data)


@pytest.mark.parametrize(
    ("datatype", "content", "error"),
    [
        ("BYTES", b"\x01\x00\x00\x00\xff", InvalidRequestError),  # no text
        ("BYTES", b"\x05\x00", ModelAnswerError),
        ("BYTES", b"\x05\x00\x00\x00ab", ModelAnswerError),
        ("FP32", b"\x00" * 5, ModelAnswerError),
        ("FP16", b"\x00\x00", InvalidRequestError),
    ],
)
def test_an_output_that_json_cannot_have_is_told(datatype: str, content: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        numbers.decode(datatype, memoryview(content))
