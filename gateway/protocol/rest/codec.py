"""Inferences over HTTP ↔ the protocol's messages (https://kserve.github.io/website/docs/concepts/architecture/data-plane)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from tritonclient.grpc import service_pb2

from gateway import body
from gateway.errors import InvalidHeaderError, InvalidRequestError
from gateway.protocol.messages import MAX_HEAD_BYTES, Request, Response
from gateway.protocol.rest import numbers
from gateway.protocol.screening import MAX_TENSORS, check_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HEAD_LENGTH = "inference-header-content-length"
BINARY_SIZE, BINARY, BINARY_ALL = "binary_data_size", "binary_data", "binary_data_output"

Integer = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Dimension = Annotated[int, Field(ge=0, lt=2**63)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Parameters = dict[Name, bool | Integer | float | str]


class Part(BaseModel):
    """Fields that we do not know are passed over: clients add what their own servers like."""

    model_config = ConfigDict(frozen=True)
    name: Name
    parameters: Parameters = {}


class Input(Part):
    datatype: Name
    shape: list[Dimension] = Field(max_length=16)
    data: list[Any] | None = None


class InferRequest(BaseModel):
    model_config = ConfigDict(frozen=True)
    id: str = ""
    parameters: Parameters = {}
    inputs: list[Input] = Field(min_length=1, max_length=MAX_TENSORS)
    outputs: list[Part] = Field([], max_length=MAX_TENSORS)


class Wanted:
    """Which outputs go behind the JSON, as bytes."""

    def __init__(self, asked: InferRequest) -> None:
        self._all = asked.parameters.get(BINARY_ALL) is True
        self._each = {part.name: part.parameters[BINARY] is True for part in asked.outputs if BINARY in part.parameters}

    def is_binary(self, name: str) -> bool:
        return self._each.get(name, self._all)


def read(content: bytes, headers: Mapping[str, str], model: str, version: str) -> tuple[Request, Wanted]:
    """Raises an `InvalidRequestError`."""
    length = length_of_head(headers.get(HEAD_LENGTH), len(content))
    if length > MAX_HEAD_BYTES:
        raise InvalidRequestError(f"The JSON may have at most {MAX_HEAD_BYTES} bytes: send tensors as binary data.")
    asked = body.validate(InferRequest, content[:length])
    head = service_pb2.ModelInferRequest(model_name=model, model_version=version, id=asked.id)
    fill(head.parameters, asked.parameters, {BINARY_ALL})
    for each in asked.inputs:
        fill(
            head.inputs.add(name=each.name, datatype=each.datatype, shape=each.shape).parameters,
            each.parameters,
            {BINARY_SIZE},
        )
    for part in asked.outputs:
        fill(head.outputs.add(name=part.name).parameters, part.parameters, {BINARY})
    check_parameters(head)  # before the tensors, of which some may say that they lie elsewhere
    return Request(head, list(tensors(asked.inputs, memoryview(content)[length:]))), Wanted(asked)


def length_of_head(text: str | None, length: int) -> int:
    if text is None:
        return length
    if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) <= length):
        raise InvalidHeaderError("Inference-Header-Content-Length must be the length of the JSON before the tensors.")
    return int(text)


def tensors(inputs: list[Input], binary: memoryview) -> Iterator[bytes | memoryview]:
    """In their order; those behind the JSON as they are."""
    for each in inputs:
        size = each.parameters.get(BINARY_SIZE)
        if (size is None) == (each.data is None):
            raise InvalidRequestError(f"{each.name}: there must be data or {BINARY_SIZE}, and not both.")
        if each.data is not None:
            yield numbers.encode(each.datatype, each.data)
        elif isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(binary):
            raise InvalidRequestError(f"{each.name}: {BINARY_SIZE} is more than there is behind the JSON, or no size.")
        else:
            yield binary[:size]
            binary = binary[size:]
    if len(binary):
        raise InvalidRequestError(f"{len(binary)} bytes behind the JSON belong to no input.")


def fill(target: Any, parameters: Parameters, ours: set[str]) -> None:
    """All but those that speak of this transport."""
    for name, value in parameters.items():
        if name in ours:
            continue
        if isinstance(value, bool):
            target[name].bool_param = value
        elif isinstance(value, int):
            target[name].int64_param = value
        elif isinstance(value, float):
            target[name].double_param = value
        else:
            target[name].string_param = value


def write(response: Response, wanted: Wanted) -> tuple[bytes, int | None]:
    """The body, and the length of its JSON if there are tensors behind it. Raises `InvalidRequestError`."""
    head = response.head
    outputs, binary = [], []
    for output, tensor in zip(head.outputs, response.tensors, strict=True):
        entry: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": list(output.shape)}
        if wanted.is_binary(output.name):
            entry["parameters"] = {BINARY_SIZE: len(tensor)}
            binary.append(tensor)
        else:
            entry["data"] = numbers.decode(output.datatype, tensor)
        outputs.append(entry)
    answer = {"model_name": head.model_name, "model_version": head.model_version, "outputs": outputs}
    content = dump({"id": head.id, **answer} if head.id else answer)
    return b"".join((content, *binary)), len(content) if binary else None


def dump(answer: dict[str, Any]) -> bytes:
    try:
        return json.dumps(answer, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:
        raise InvalidRequestError("An output is infinite or no number: ask for binary data.") from error


def metadata(content: bytes) -> dict[str, Any]:
    """A ModelMetadataResponse as JSON."""
    message = service_pb2.ModelMetadataResponse.FromString(content)
    answer = {"name": message.name, "versions": list(message.versions), "platform": message.platform}
    for kind in ("inputs", "outputs"):
        answer[kind] = [
            {"name": each.name, "datatype": each.datatype, "shape": list(each.shape)} for each in getattr(message, kind)
        ]
    return answer
