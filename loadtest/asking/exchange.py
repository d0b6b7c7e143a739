"""HTTP for all users of a process: kept connections, as many as there are requests in flight.

aiohttp, because what the generator takes of the machine is not there for the server: 0.07 ms of CPU a request where
httpx2 takes 0.44 ms (decision 0020).
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

from loadtest.asking.answer import NO_ANSWER, NO_CONNECTION, NO_FRONDS, OK, Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class Reply:
    """`status` 0: there was no answer, and `code` says why."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str = OK

    @property
    def is_success(self) -> bool:
        return self.status in SUCCESS

    def content(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def failure(self) -> Answer:
        """By the contract's code, or by the status where something else than Frond answered."""
        content = self.content()
        error = content.get("error") if isinstance(content, dict) else None
        code = error.get("code") if isinstance(error, dict) else None
        return Answer(code or (f"http_{self.status}" if self.status else self.code), self.body)

    def answer(self) -> Answer:
        """Of a diagnosis request."""
        if not self.is_success:
            return self.failure()
        try:
            version = self.content()["result"]["model"]["version"]
        except (KeyError, TypeError):
            return Answer(NO_FRONDS, self.body)
        return Answer(OK, self.body, self.headers.get("Idempotency-Replayed") == "true", version)


class Exchange:
    """Used by one event loop."""

    def __init__(self, url: str) -> None:
        self.url = url
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=True, trust_env=False)

    async def close(self) -> None:
        await self._session.close()

    async def send(self, method: str, where: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Reply:
        """`where`: a path of the gateway's, or a URL; `seconds`: for all of it."""
        url = self.url + where if where.startswith("/") else where
        timeout = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self._session.request(
                method, url, headers=headers, data=body, timeout=timeout, allow_redirects=False
            ) as response:
                return Reply(response.status, await response.read(), response.headers)
        except asyncio.TimeoutError:  # noqa: UP041  (aiohttp's own derive from it)
            return Reply(0, code=NO_ANSWER)
        except (aiohttp.ClientError, OSError):
            return Reply(0, code=NO_CONNECTION)
