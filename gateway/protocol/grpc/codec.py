"""Messages over gRPC: an inference passes as bytes, the small ones are read and written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tritonclient.grpc import service_pb2

from gateway.errors import InvalidRequestError
from gateway.protocol.messages import read_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.protocol.protocols import ModelState


def read_model(kind: Any, message: bytes) -> tuple[str, str]:
    """Name and version of a ModelReadyRequest or a ModelMetadataRequest."""
    asked = read_message(kind, message)
    return asked.name, asked.version


def read_index(message: bytes) -> bool:
    """Whether only models that are ready are asked for."""
    asked = read_message(service_pb2.RepositoryIndexRequest, message)
    if asked.repository_name:
        raise InvalidRequestError("There is one repository, and it has no name.")
    return bool(asked.ready)


def write_index(states: Sequence[ModelState]) -> bytes:
    answer = service_pb2.RepositoryIndexResponse()
    for state in states:
        answer.models.add(name=state.name, version=state.version, state=state.state, reason=state.reason)
    return bytes(answer.SerializeToString())
