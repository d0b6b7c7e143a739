"""`diagnose`'s messages in Triton's protocol: a request out of photos and options, the JSON out of a response."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tritonclient.grpc import service_pb2

from gateway.errors import ModelAnswerError
from gateway.inference.calls import INFER
from gateway.inference.outcomes import judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    import grpc

    from gateway.deadline import Deadline
    from gateway.errors import GatewayError
    from gateway.inference.outcomes import Outcome

MODEL = "diagnose"
# Field 7 of ModelInferRequest, raw_input_contents, with its wire type: two, length-delimited.
RAW_INPUT_TAG = bytes([7 << 3 | 2])


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What `diagnose` is asked; without a version, of the promoted release. A `Call`."""

    method: ClassVar[str] = INFER
    is_vetted: ClassVar[bool] = True

    photos: Sequence[bytes]
    top_k: int
    version: str | None
    request_id: str

    def encode(self, seconds: float) -> bytes:
        """A ModelInferRequest with one row of photos, shape [1, n], and what is left of the budget.

        The photos are written behind the serialised rest, as field 7 of the same message: protobuf itself would copy
        each three times more.
        """
        request = service_pb2.ModelInferRequest(model_name=MODEL, id=self.request_id)
        request.inputs.add(name="IMAGES", datatype="BYTES", shape=[1, len(self.photos)])
        request.outputs.add(name="DIAGNOSIS")
        request.parameters["top_k"].int64_param = self.top_k
        request.parameters["budget_ms"].int64_param = int(seconds * 1000)
        request.parameters["timeout"].int64_param = int(seconds * 1_000_000)  # Triton's own: bounds the queue
        if self.version is not None:
            request.parameters["version"].string_param = self.version
        size = sum(4 + len(photo) for photo in self.photos)
        elements = (piece for photo in self.photos for piece in (struct.pack("<I", len(photo)), photo))
        return b"".join((request.SerializeToString(), RAW_INPUT_TAG, varint(size), *elements))

    def decode(self, answer: bytes) -> bytes:
        """The one element of DIAGNOSIS: four bytes of length, then JSON."""
        response = service_pb2.ModelInferResponse.FromString(answer)
        if len(response.raw_output_contents) != 1 or len(response.raw_output_contents[0]) < 4:
            raise ModelAnswerError("The model gave no answer of the agreed form.")
        content: bytes = response.raw_output_contents[0]
        return content[4:]

    def judge(self, error: grpc.aio.AioRpcError, deadline: Deadline, seconds: float) -> tuple[Outcome, GatewayError]:
        return judge(error, self.version, deadline, seconds)


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first, the eighth set in all but the last."""
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])
