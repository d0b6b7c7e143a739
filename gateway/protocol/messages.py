"""Messages of an inference: a head that is read, and tensors that stay the bytes they came as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError
from tritonclient.grpc import service_pb2

from frond.types import MAX_IMAGE_BYTES
from gateway.errors import BodyTooLargeError, MalformedRequestError, ModelAnswerError
from gateway.inference.codec import RAW_INPUT_TAG, varint
from gateway.protocol import wire

if TYPE_CHECKING:
    from collections.abc import Sequence

# Names, shapes and parameters, and tensors that are written out as numbers: those become objects, many times larger.
MAX_HEAD_BYTES = 1024 * 1024
# The largest photo, or 48 images for a network of 380 pixels; several large photos are a diagnosis.
MAX_MESSAGE_BYTES = MAX_IMAGE_BYTES + MAX_HEAD_BYTES
RAW_INPUT_CONTENTS, RAW_OUTPUT_CONTENTS = 7, 6


@dataclass(frozen=True, slots=True)
class Request:
    """A ModelInferRequest without its `raw_input_contents`, which are the tensors."""

    head: Any
    tensors: Sequence[bytes | memoryview]

    @classmethod
    def parse(cls, message: bytes) -> Request:
        """What Triton gets is written anew out of what was read: it cannot find in it what we have not."""
        try:
            head, tensors = wire.split(message, RAW_INPUT_CONTENTS)
        except wire.WireError as error:
            raise MalformedRequestError(str(error)) from error
        return cls(read_message(service_pb2.ModelInferRequest, head), tensors)

    def encode(self) -> bytes:
        pieces = (piece for tensor in self.tensors for piece in (RAW_INPUT_TAG, varint(len(tensor)), tensor))
        return b"".join((self.head.SerializeToString(), *pieces))


@dataclass(frozen=True, slots=True)
class Response:
    """A ModelInferResponse without its `raw_output_contents`, which are the tensors in the order of the outputs."""

    head: Any
    tensors: Sequence[memoryview]

    @classmethod
    def parse(cls, message: bytes) -> Response:
        try:
            head, tensors = wire.split(message, RAW_OUTPUT_CONTENTS)
            response = cls(service_pb2.ModelInferResponse.FromString(head), tensors)
        except (wire.WireError, DecodeError) as error:
            raise ModelAnswerError("The model gave no answer of the agreed form.") from error
        if len(response.head.outputs) != len(tensors):
            raise ModelAnswerError("The model gave no answer of the agreed form.")
        return response


def read_message(kind: Any, content: bytes) -> Any:
    """A message of a stranger's, without the fields that our protocol does not know and Triton's may."""
    if len(content) > MAX_HEAD_BYTES:
        raise BodyTooLargeError(
            f"What is no raw tensor may have at most {MAX_HEAD_BYTES} bytes: send tensors as raw_input_contents."
        )
    try:
        message = kind.FromString(content)
    except DecodeError as error:
        raise MalformedRequestError(f"This is no {kind.DESCRIPTOR.name}.") from error
    message.DiscardUnknownFields()
    return message
