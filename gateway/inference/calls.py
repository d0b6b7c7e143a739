"""A call of Triton as addresses and breakers see it, whatever it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import grpc

    from gateway.deadline import Deadline
    from gateway.errors import GatewayError
    from gateway.inference.outcomes import Outcome

INFER = "/inference.GRPCInferenceService/ModelInfer"


class Call(Protocol):
    @property
    def method(self) -> str:
        """Of gRPC; only `INFER` is work that others wait for."""

    @property
    def is_vetted(self) -> bool:
        """Whether its content was found good: then a failure is the model's, and an answer a sign of life."""

    def encode(self, seconds: float) -> bytes:
        """The message; so much of the budget is left."""

    def decode(self, answer: bytes) -> bytes:
        """What is wanted of the answer. Raises `ModelAnswerError` for one of another form."""

    def judge(self, error: grpc.aio.AioRpcError, deadline: Deadline, seconds: float) -> tuple[Outcome, GatewayError]:
        """What a status says of the address, and what the caller is told; the call had that many seconds."""
