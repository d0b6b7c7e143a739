"""What the data plane needs of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gateway.allowance import Allowance
    from gateway.auth.protocols import Caller
    from gateway.deadline import Deadline
    from gateway.health.service import Readiness
    from gateway.inference.calls import Call


@dataclass(frozen=True, slots=True)
class ModelState:
    """An entry of the repository index: no configuration, and no path."""

    name: str
    version: str
    state: str  # READY or UNAVAILABLE, Triton's words
    reason: str


class Tritons(Protocol):
    async def ask(self, call: Call, deadline: Deadline) -> bytes:
        """Raises what the call judges, `TritonUnavailableError` or `OverloadedError`."""


class Limits(Protocol):
    async def spend(self, caller: Caller) -> Allowance | None:
        """One request of the caller's rate. Raises `RateLimitedError` or `DatabaseUnavailableError`."""


class Ready(Protocol):
    async def readiness(self) -> Readiness: ...
