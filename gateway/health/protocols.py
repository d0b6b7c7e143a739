"""What readiness asks of the parts that a request needs."""

from __future__ import annotations

from typing import Protocol


class Probe(Protocol):
    async def check(self) -> str | None:
        """What is not well although the part does its work. Raises a `GatewayError` when it cannot do it."""
