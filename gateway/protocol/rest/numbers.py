"""A tensor's elements as JSON ↔ as bytes, little-endian and row by row."""

from __future__ import annotations

import struct
from array import array
from itertools import chain
from typing import TYPE_CHECKING, Any

from gateway.errors import InvalidRequestError, ModelAnswerError

if TYPE_CHECKING:
    from collections.abc import Iterator

BYTES, BOOL = "BYTES", "BOOL"
# As `array` names them. FP16 and BF16 have no JSON form in the protocol.
CODES = {
    "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q",
    "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q",
    "FP32": "f", "FP64": "d",
}  # fmt: skip


def encode(datatype: str, data: list[Any]) -> bytes:
    """Elements flat or nested. Raises `InvalidRequestError` for one that is not of the type."""
    while data and isinstance(data[0], list):
        if not all(isinstance(row, list) for row in data):
            raise InvalidRequestError("data: rows and elements are mixed.")
        data = list(chain.from_iterable(data))
    try:
        if datatype == BYTES:
            return b"".join(struct.pack("<I", len(text)) + text for text in map(str.encode, data))
        if datatype == BOOL:
            return bytes(map((False, True).index, data))
        if datatype in CODES:
            return array(CODES[datatype], data).tobytes()
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidRequestError(f"data: an element is no {datatype}.") from error
    raise InvalidRequestError(f"Tensors of the type {datatype[:20]!r} have no JSON form: send them as binary data.")


def decode(datatype: str, content: memoryview) -> list[Any]:
    """Elements, flat. Raises `InvalidRequestError` for those that JSON cannot have."""
    if datatype == BYTES:
        try:
            return [str(element, "utf-8") for element in elements(content)]
        except UnicodeDecodeError as error:
            raise InvalidRequestError("An output is no text: ask for binary data.") from error
    if datatype == BOOL:
        return [byte != 0 for byte in content]
    if datatype not in CODES:
        raise InvalidRequestError(f"An output of the type {datatype} has no JSON form: ask for binary data.")
    numbers = array(CODES[datatype])
    if len(content) % numbers.itemsize:
        raise ModelAnswerError("The model gave no answer of the agreed form.")
    numbers.frombytes(content)
    return numbers.tolist()


def elements(content: memoryview) -> Iterator[memoryview]:
    """Of a BYTES tensor: four bytes of length before each."""
    position = 0
    while position < len(content):
        length = int.from_bytes(content[position : position + 4], "little")
        position += 4 + length
        if position > len(content):
            raise ModelAnswerError("The model gave no answer of the agreed form.")
        yield content[position - length : position]
