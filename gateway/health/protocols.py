"""What readiness asks of the parts that a request needs."""

from __future__ import annotations

from typing import Protocol


class Probe(Protocol):
    async def check(self) -> None:
        """Raises a `GatewayError` when the part cannot do its work."""
