"""Readiness: every part checked, the result kept for a moment so that probes are cheap."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import GatewayError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.health.protocols import Probe

logger = logging.getLogger(__name__)

FRESH_SECONDS = 1.0


class Lifecycle:
    """Whether the process has been asked to go; shared with the signal handler."""

    def __init__(self) -> None:
        self.is_draining = False


@dataclass(frozen=True, slots=True)
class Condition:
    """Of a part; there may be something wrong with one that is ready, too."""

    is_ready: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    parts: Mapping[str, Condition]
    is_draining: bool

    @property
    def is_ready(self) -> bool:
        return not self.is_draining and all(part.is_ready for part in self.parts.values())


class ReadinessService:
    """However many ask at once, the parts are checked once."""

    def __init__(self, lifecycle: Lifecycle, probes: Mapping[str, Probe]) -> None:
        self._lifecycle = lifecycle
        self._probes = probes
        self._lock = asyncio.Lock()
        self._parts: Mapping[str, Condition] = {}
        self._fresh_until = 0.0

    @property
    def is_draining(self) -> bool:
        return self._lifecycle.is_draining

    async def readiness(self) -> Readiness:
        async with self._lock:
            if time.monotonic() >= self._fresh_until:
                conditions = await asyncio.gather(*map(condition_of, self._probes.values()))
                self._parts = dict(zip(self._probes, conditions, strict=True))
                self._fresh_until = time.monotonic() + FRESH_SECONDS
        return Readiness(self._parts, self._lifecycle.is_draining)


async def condition_of(probe: Probe) -> Condition:
    try:
        return Condition(is_ready=True, reason=await probe.check())
    except GatewayError as error:
        return Condition(is_ready=False, reason=f"{error.code}: {error}")
    except Exception:
        logger.exception("a probe failed")
        return Condition(is_ready=False, reason="the probe failed; see the log")
