"""The gateway's own API: the photo along with the request, or uploaded first."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, ClassVar

from loadtest.asking.answer import NO_FRONDS, Answer
from loadtest.http import form

if TYPE_CHECKING:
    from loadtest.asking.answer import Order
    from loadtest.asking.exchange import Exchange, Reply

DIAGNOSES, UPLOADS = "/v1/ai-inference", "/v1/uploads"


class Multipart:
    """One round trip: `multipart/form-data`."""

    name: ClassVar[str] = "multipart"
    has_keys: ClassVar[bool] = True

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def ask(self, order: Order) -> Answer:
        content_type, body = form(json.dumps(order.details).encode(), order.photo)
        headers = order.headers() | {"Content-Type": content_type}
        return (await self._exchange.send("POST", DIAGNOSES, headers, body, order.patience_seconds)).answer()


class Uploaded:
    """A ticket, a PUT to where it says, then JSON with the signed URL; one sample for all three, as the user waits."""

    name: ClassVar[str] = "upload"
    has_keys: ClassVar[bool] = True

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def ask(self, order: Order) -> Answer:
        sha256 = hashlib.sha256(order.photo).hexdigest()
        declaration = {"sha256": sha256, "contentType": "image/jpeg", "bytes": len(order.photo)}
        reply = await self._post(UPLOADS, order, declaration)
        if not reply.is_success:
            return reply.failure()
        try:
            ticket = reply.content()["result"]
            where, headers, url = ticket["uploadUrl"], ticket["uploadHeaders"], ticket["downloadUrl"]
        except (KeyError, TypeError):
            return Answer(NO_FRONDS, reply.body)
        put = await self._exchange.send("PUT", where, headers, order.photo, order.patience_seconds)
        if not put.is_success:
            return put.failure()
        images = [declaration | {"url": url}]
        return (await self._post(DIAGNOSES, order, order.details | {"images": images})).answer()

    async def _post(self, path: str, order: Order, content: dict[str, Any]) -> Reply:
        headers = order.headers() | {"Content-Type": "application/json"}
        return await self._exchange.send("POST", path, headers, json.dumps(content).encode(), order.patience_seconds)
