"""What the status asks of the way to the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

BreakerState = Literal["closed", "half_open", "open"]


@dataclass(frozen=True, slots=True)
class ServerCondition:
    """Of one Triton. `version` is its release of Triton; None: it does not say now."""

    breaker: BreakerState
    in_flight: int
    version: str | None


class Servers(Protocol):
    async def conditions(self) -> list[ServerCondition]:
        """Of every Triton that is known now, in a steady order. Does not raise."""
