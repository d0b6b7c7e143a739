"""Tensors that contradict themselves are refused or fail alone: the model answers the next request."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import grpc
import pytest
from tritonclient.grpc import service_pb2

from tests.gateways import png

if TYPE_CHECKING:
    from tests.integration.protocol.conftest import Served

RPC = "/inference.GRPCInferenceService/ModelInfer"
PHOTO = struct.pack("<I", len(png())) + png()
REFUSED = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAVAILABLE}

HOSTILE: dict[str, tuple[str, str, list[int], list[bytes]]] = {
    "no tensor": ("IMAGES", "BYTES", [1, 1], []),
    "an empty one": ("IMAGES", "BYTES", [1, 1], [b""]),
    "two for one": ("IMAGES", "BYTES", [1, 1], [PHOTO, PHOTO]),
    "half a length": ("IMAGES", "BYTES", [1, 1], [b"\x05\x00"]),
    "a length beyond the end": ("IMAGES", "BYTES", [1, 1], [b"\xff\xff\xff\x7fabc"]),
    "a length of all ones": ("IMAGES", "BYTES", [1, 1], [b"\xff\xff\xff\xffabc"]),
    "fewer elements than the shape": ("IMAGES", "BYTES", [1, 8], [PHOTO]),
    "more elements than the shape": ("IMAGES", "BYTES", [1, 1], [PHOTO * 8]),
    "nine photos": ("IMAGES", "BYTES", [1, 9], [PHOTO * 9]),
    "no photo": ("IMAGES", "BYTES", [1, 0], [b""]),
    "a batch of none": ("IMAGES", "BYTES", [0, 1], [b""]),
    "a batch of a row": ("IMAGES", "BYTES", [8, 1], [PHOTO * 8]),
    "a huge shape": ("IMAGES", "BYTES", [1, 2**62], [PHOTO]),
    "a shape that overflows": ("IMAGES", "BYTES", [2**32, 2**32], [PHOTO]),
    "a negative shape": ("IMAGES", "BYTES", [1, -1], [PHOTO]),
    "no shape": ("IMAGES", "BYTES", [], [PHOTO]),
    "another type": ("IMAGES", "UINT8", [1, 4], [b"abcd"]),
    "no type": ("IMAGES", "", [1, 1], [PHOTO]),
    "another name": ("PICTURES", "BYTES", [1, 1], [PHOTO]),
}


@pytest.mark.parametrize(("name", "datatype", "shape", "tensors"), HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_tensor_is_refused_and_the_next_request_is_answered(
    served: Served, name: str, datatype: str, shape: list[int], tensors: list[bytes]
) -> None:
    request = service_pb2.ModelInferRequest(model_name="diagnose", raw_input_contents=tensors)
    request.inputs.add(name=name, datatype=datatype, shape=shape)
    good = service_pb2.ModelInferRequest(model_name="diagnose", raw_input_contents=[PHOTO])
    good.inputs.add(name="IMAGES", datatype="BYTES", shape=[1, 1])
    async with grpc.aio.insecure_channel(served.grpc) as channel:
        infer = channel.unary_unary(RPC)
        metadata = tuple(served.bearer.items())
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await infer(request.SerializeToString(), metadata=metadata, timeout=10)
        assert raised.value.code() in REFUSED
        assert "/" not in (raised.value.details() or "")  # neither a path nor an address
        assert await infer(good.SerializeToString(), metadata=metadata, timeout=10)
