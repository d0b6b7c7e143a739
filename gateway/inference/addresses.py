"""What the configured host:port stand for now: a name is all its addresses, asked for again every few seconds."""

from __future__ import annotations

import asyncio
import logging
import socket

logger = logging.getLogger(__name__)

RESOLVE_SECONDS = 2.0


async def resolve(configured: str) -> frozenset[str]:
    """As host:port with numbers only. Raises OSError, TimeoutError too, when the name cannot be resolved now."""
    host, _, port = configured.rpartition(":")
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(RESOLVE_SECONDS):
        found = await loop.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    return frozenset(join(str(address[0]), port) for *_, address in found)


def join(host: str, port: str) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Addresses:
    """Keeps what a name stood for while it cannot be resolved: an outage of the name service is none of Triton."""

    def __init__(self, configured: tuple[str, ...]) -> None:
        self._found: dict[str, frozenset[str]] = dict.fromkeys(configured, frozenset())
        self._lost: set[str] = set()

    async def look_up(self) -> frozenset[str]:
        await asyncio.gather(*map(self._look_up, self._found))
        return frozenset().union(*self._found.values())

    async def _look_up(self, configured: str) -> None:
        try:
            self._found[configured] = await resolve(configured)
        except OSError as error:
            if configured not in self._lost:
                logger.warning("Triton's address %s cannot be resolved: %s", configured, error)
            self._lost.add(configured)
        else:
            self._lost.discard(configured)
