"""The Open Inference Protocol over gRPC, through the gateway: no idempotency key there."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, ClassVar

import grpc
import numpy as np
from tritonclient.grpc import service_pb2
from tritonclient.utils import deserialize_bytes_tensor, serialize_byte_tensor

from loadtest.asking.answer import NO_FRONDS, OK, Answer

if TYPE_CHECKING:
    from loadtest.asking.answer import Order

METHOD = "/inference.GRPCInferenceService/ModelInfer"


class Tensors:
    """One channel for all users of a process: HTTP/2 carries their calls beside each other."""

    name: ClassVar[str] = "grpc"
    has_keys: ClassVar[bool] = False

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        self._infer = self._channel.unary_unary(METHOD, response_deserializer=service_pb2.ModelInferResponse.FromString)

    async def close(self) -> None:
        await self._channel.close()

    async def ask(self, order: Order) -> Answer:
        metadata = (("authorization", f"Bearer {order.token}"),)
        try:
            response = await self._infer(message(order), metadata=metadata, timeout=order.seconds_left)
        except grpc.aio.AioRpcError as error:
            return Answer(error.code().name.lower())
        try:
            body = deserialize_bytes_tensor(response.raw_output_contents[0])[0]
            return Answer(OK, body, version=json.loads(body)["model"]["version"])
        except (IndexError, KeyError, TypeError, ValueError, struct.error):
            return Answer(NO_FRONDS)


def message(order: Order) -> bytes:
    request = service_pb2.ModelInferRequest(model_name="diagnose")
    request.inputs.add(name="IMAGES", datatype="BYTES", shape=[1, 1])
    request.raw_input_contents.append(serialize_byte_tensor(np.array([order.photo], dtype=np.object_)).item())
    if order.version is not None:
        request.parameters["version"].string_param = order.version
    return bytes(request.SerializeToString())
