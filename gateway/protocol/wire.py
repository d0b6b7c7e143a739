"""Protobuf's wire format, one level deep: a message taken apart into one field's bytes and the rest, without a copy."""

from __future__ import annotations

# Of a message: 64 tensors each way with their parameters; a million fields of two bytes would take half a second here.
MAX_FIELDS = 512
LENGTH = 2  # the wire type of bytes and messages
MAX_VARINT_BYTES = 10


class WireError(ValueError):
    """These bytes are no message, or one of too many fields."""


def split(message: bytes, field: int) -> tuple[bytes, list[memoryview]]:
    """The message less the length-delimited `field`, and the values of that. Both keep their order."""
    view, position = memoryview(message), 0
    rest: list[memoryview] = []
    values: list[memoryview] = []
    for _ in range(MAX_FIELDS + 1):
        if position == len(view):
            return b"".join(rest), values
        start = position
        tag, position = read_varint(view, position)
        position, end = extent(view, position, tag & 7)
        if end > len(view):
            raise WireError("The message ends within a field.")
        if tag >> 3 == field and tag & 7 == LENGTH:
            values.append(view[position:end])
        else:
            rest.append(view[start:end])
        position = end
    raise WireError(f"The message has more than {MAX_FIELDS} fields.")


def extent(view: memoryview, position: int, wire_type: int) -> tuple[int, int]:
    """Where the value at `position` begins and ends; groups, which no current protocol has, are refused."""
    match wire_type:
        case 0:
            return position, read_varint(view, position)[1]
        case 1:
            return position, position + 8
        case 2:
            length, position = read_varint(view, position)
            return position, position + length
        case 5:
            return position, position + 4
    raise WireError("The message is no protobuf.")


def read_varint(view: memoryview, position: int) -> tuple[int, int]:
    """The number, and where it ends."""
    value = 0
    for index, byte in enumerate(view[position : position + MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise WireError("The message is no protobuf.")
