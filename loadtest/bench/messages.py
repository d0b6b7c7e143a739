"""A photo as a message of the Open Inference Protocol, and the text in the message that answers it."""

from __future__ import annotations

import numpy as np
from tritonclient.grpc import service_pb2
from tritonclient.utils import deserialize_bytes_tensor, serialize_byte_tensor


def infer_request(model: str, input_name: str, shape: list[int], photo: bytes) -> bytes:
    """A request with the photo as the one element of its input."""
    tensor = serialize_byte_tensor(np.array([photo], dtype=np.object_)).item()
    request = service_pb2.ModelInferRequest(model_name=model, raw_input_contents=[tensor])
    request.inputs.add(name=input_name, datatype="BYTES", shape=shape)
    return bytes(request.SerializeToString())


def text_of(response: bytes) -> bytes:
    """The one element of the response's one output."""
    (tensor,) = service_pb2.ModelInferResponse.FromString(response).raw_output_contents
    return bytes(deserialize_bytes_tensor(tensor)[0])
