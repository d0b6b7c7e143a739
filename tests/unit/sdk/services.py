"""A service in memory, for tests of the client that need no network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2

from frond.async_client import AsyncCloudInferenceClient
from frond.configuration import ClientOptions
from frond.exchange import Wire
from frond.options import PredictOptions
from frond.policy.retry import RetryPolicy
from frond.reports import Reporting
from frond.types import PlantContext
from tests.gateways import png
from tests.unit.sdk.answers import envelope, failure

if TYPE_CHECKING:
    from frond.tokens import TokenSource

BASE = "http://frond.test"
PHOTO = png()
Reply = httpx2.Response | Exception


def ok(**headers: str) -> httpx2.Response:
    return httpx2.Response(200, json=envelope(PHOTO), headers=headers)


def refusal(status: int, category: str, code: str, **error: Any) -> httpx2.Response:
    return httpx2.Response(status, json=failure(category=category, code=code, **error))


OUT = {"category": "server", "code": "triton_unavailable", "retryable": True, "retryAfterMs": 0}


@dataclass
class Service:
    """Answers the requests for a diagnosis with `replies` in their order, the last one again and again."""

    replies: list[Reply] = field(default_factory=lambda: [ok()])
    requests: list[httpx2.Request] = field(default_factory=list)
    telemetry: list[dict[str, Any]] = field(default_factory=list)
    telemetry_status: int = 202
    reported: asyncio.Event = field(default_factory=asyncio.Event)
    before: Callable[[], Awaitable[None]] | None = None

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1/telemetry":
            if self.telemetry_status == 202:
                self.telemetry += json.loads(request.content)["events"]
                self.reported.set()
            return httpx2.Response(self.telemetry_status)
        self.requests.append(request)
        await asyncio.sleep(0)
        if self.before is not None:
            await self.before()
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return httpx2.Response(reply.status_code, headers=reply.headers, content=reply.content)

    def options(self, **changes: Any) -> ClientOptions:
        wanted: dict[str, Any] = {
            "retry": RetryPolicy(base_seconds=0.001, cap_seconds=0.001),
            "wire": Wire(transport=httpx2.MockTransport(self)),
            "reporting": Reporting(sample_ratio=0),
        }
        return ClientOptions(**wanted | changes)

    def client(
        self,
        token: TokenSource = "first",  # noqa: S107
        refresh_token: TokenSource | None = None,
        **changes: Any,
    ) -> AsyncCloudInferenceClient:
        return AsyncCloudInferenceClient(BASE, token, refresh_token=refresh_token, options=self.options(**changes))


def order(**changes: Any) -> PredictOptions:
    wanted: dict[str, Any] = {"photos": [PHOTO], "assessment_id": "a-1", "plant_context": PlantContext(id="p-1")}
    return PredictOptions(**wanted | changes)
