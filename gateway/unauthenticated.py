"""Who asks, found out before anything else is done; and how many requests of nobody this process answers."""

from __future__ import annotations

import math
import re
import time
from typing import TYPE_CHECKING

from frond.types import ErrorCategory
from gateway.auth.bearer import identify
from gateway.envelope import failure_response
from gateway.errors import ForbiddenError, GatewayError, UnauthenticatedFloodError

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import Counter
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.auth.protocols import Caller

BURST_SECONDS = 2  # an app's start brings a few requests with an old token at once
# Probes have no token and must not be refused for others' sake. A page of the console loads a dozen files without one:
# they lie in memory, and to refuse one costs as much as to send it.
FREE = re.compile(r"(/v2)?/health/(live|ready)|/health/serving|/|/model|/status|/console/[^/]+")


class UnauthenticatedCap:
    """A token bucket (ITU-T I.371) for requests without a valid token. Those with one never come here."""

    def __init__(self, per_second: float, refused: Counter, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = max(1.0, per_second * BURST_SECONDS)
        self._refused = refused
        self._clock = clock
        self._left = self._burst
        self._counted_at = clock()

    def charge(self) -> None:
        """Raises `UnauthenticatedFloodError` when nothing is left."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._counted_at) * self._per_second)
        self._counted_at = now
        if self._left < 1:
            self._refused.inc()
            wait_ms = math.ceil((1 - self._left) / self._per_second * 1000)
            raise UnauthenticatedFloodError("Too many requests come without a valid token.", wait_ms)
        self._left -= 1


class Identification:
    """ASGI middleware inside `Edge`: leaves the caller, or what is wrong with the token, in the request's state.

    `signed_under`: where the local storage's URLs lie, if there are any. There a signature stands for the token.
    """

    def __init__(self, app: ASGIApp, signed_under: str | None) -> None:
        self.app = app
        self._signed = re.compile(f"{signed_under}/[^/]+/[^/]+") if signed_under is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or FREE.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
        elif self._signed and self._signed.fullmatch(scope["path"]) and scope["method"] in {"GET", "PUT"}:
            await self._by_signature(scope, receive, send)
        else:
            await self._by_token(scope, receive, send)

    async def _by_token(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["state"]
        try:
            state["identity"] = await identity(scope)
            if is_nobody(state["identity"]):
                state["unauthenticated"].charge()
        except UnauthenticatedFloodError as flood:
            await refuse(flood, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _by_signature(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The route checks the signature; what it refuses is charged, and answered 429 when nothing is left.

        That it refused is known from `state["error"]`, which whatever renders an error leaves for this and for `Edge`.
        """
        refused = False

        async def send_unless_refused(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and isinstance(scope["state"].get("error"), ForbiddenError):
                try:
                    scope["state"]["unauthenticated"].charge()
                except UnauthenticatedFloodError as flood:
                    refused = True
                    await refuse(flood, scope, receive, send)
            if not refused:
                await send(message)

        await self.app(scope, receive, send_unless_refused)


async def identity(scope: Scope) -> Caller | GatewayError:
    try:
        return await identify(scope["headers"], scope["state"]["verifier"])
    except GatewayError as error:
        return error


def is_nobody(identity: Caller | GatewayError) -> bool:
    """Not while the issuer's keys are missing: then nobody can tell."""
    return isinstance(identity, GatewayError) and identity.category is ErrorCategory.AUTH


async def refuse(flood: UnauthenticatedFloodError, scope: Scope, receive: Receive, send: Send) -> None:
    scope["state"]["error"] = flood
    await failure_response(scope["state"]["request_id"], flood, scope["path"])(scope, receive, send)
