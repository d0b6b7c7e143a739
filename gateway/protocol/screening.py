"""What of a stranger's inference request reaches Triton: nothing that is not named here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.errors import InvalidRequestError
from gateway.inference.codec import MODEL

if TYPE_CHECKING:
    from collections.abc import Container

    from gateway.deadline import Deadline
    from gateway.protocol.messages import Request

MAX_TENSORS = 64  # each way
MAX_ID_CHARACTERS = 200
# Triton's own parameters are orders to the server: another's place in the queue (`priority`), state that is kept
# (`sequence_…`), memory that is read and written (`shared_memory_…`). A newer Triton may know more of them.
TIMEOUT = "timeout"  # microseconds; shortens the deadline
PARAMETERS: dict[str, frozenset[str]] = {MODEL: frozenset({TIMEOUT, "top_k", "version"})}
PARAMETERS_OF_OTHERS = frozenset({TIMEOUT})
INPUT_PARAMETERS: frozenset[str] = frozenset()
OUTPUT_PARAMETERS = frozenset({"classification"})  # the n largest, as text


def screen(request: Request, deadline: Deadline) -> Deadline:
    """The deadline, with the request's own timeout in it. Raises `InvalidRequestError`, which names what is wrong."""
    head = request.head
    if len(head.id) > MAX_ID_CHARACTERS or not head.id.isprintable():
        raise InvalidRequestError(f"id: at most {MAX_ID_CHARACTERS} printable characters.")
    if max(len(head.inputs), len(head.outputs), len(request.tensors)) > MAX_TENSORS:
        raise InvalidRequestError(f"There may be at most {MAX_TENSORS} tensors.")
    if request.tensors and len(request.tensors) != len(head.inputs):  # Triton passes over what is too many
        raise InvalidRequestError("There must be one raw tensor for each input, or none at all.")
    check_parameters(head)
    return shortened(deadline, head.parameters)


def check_parameters(head: Any) -> None:
    check(head.parameters, PARAMETERS.get(head.model_name, PARAMETERS_OF_OTHERS))
    for tensor in head.inputs:
        check(tensor.parameters, INPUT_PARAMETERS)
    for tensor in head.outputs:
        check(tensor.parameters, OUTPUT_PARAMETERS)


def check(parameters: Any, allowed: Container[str]) -> None:
    for name in parameters:
        if name not in allowed:
            raise InvalidRequestError(f"The parameter {name[:MAX_ID_CHARACTERS]!r} is not accepted.")


def shortened(deadline: Deadline, parameters: Any) -> Deadline:
    """By Triton's `timeout`, of which zero means none."""
    if TIMEOUT not in parameters:
        return deadline
    value = parameters[TIMEOUT]
    kind = value.WhichOneof("parameter_choice")
    microseconds = getattr(value, kind) if kind in {"int64_param", "uint64_param"} else -1
    if microseconds < 0:
        raise InvalidRequestError("timeout must be a whole number of microseconds.")
    return deadline.within(microseconds / 1_000_000) if microseconds else deadline
