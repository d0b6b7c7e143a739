"""How this process and its Tritons are doing, put together at most once a second however many ask."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.status.protocols import ServerCondition, Servers
    from gateway.status.window import Recent, Window

FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Status:
    uptime_seconds: float
    recent: Recent
    servers: Sequence[ServerCondition]


class StatusService:
    def __init__(self, window: Window, servers: Servers) -> None:
        self._window = window
        self._servers = servers
        self._began = time.monotonic()
        self._lock = asyncio.Lock()
        self._status: Status | None = None
        self._fresh_until = 0.0

    async def status(self) -> Status:
        async with self._lock:
            now = time.monotonic()
            if self._status is None or now >= self._fresh_until:
                servers = await self._servers.conditions()
                self._status = Status(now - self._began, self._window.recent(), servers)
                self._fresh_until = time.monotonic() + FRESH_SECONDS
            return self._status
