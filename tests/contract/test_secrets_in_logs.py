"""Whatever a request carries: the log tells no token, no signature and no photo, and nobody can fill it."""

from __future__ import annotations

import asyncio
import base64
import io
import logging
import logging.config
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway import logs
from gateway.errors import DatabaseUnavailableError, StorageUnavailableError
from tests.gateways import DETAILS, PATH, form, png

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gateways import FakeDiagnoser, Gateway


@contextmanager
def captured() -> Iterator[io.StringIO]:
    """All loggers as the process configures them, at their most talkative below what it is told to leave out."""
    stream, root = io.StringIO(), logging.getLogger()
    before = root.handlers[:], root.level
    logs.configure()
    configured, root.handlers[:] = root.handlers[:], []
    handler = logging.StreamHandler(stream)
    handler.setFormatter(configured[0].formatter)
    root.addHandler(handler)
    try:
        yield stream
    finally:
        root.handlers[:], level = before
        root.setLevel(level)


async def test_no_secret_of_a_request_is_in_the_log(gateway: Gateway, diagnoser: FakeDiagnoser) -> None:
    photo = png(metadata=b"PHOTO-SECRET")
    token = gateway.key.token()
    secret = gateway.headers()
    with captured() as log:
        for error in (None, RuntimeError("a bug"), StorageUnavailableError("out"), DatabaseUnavailableError("out")):
            diagnoser.error = error
            await gateway.diagnose(photo)
        diagnoser.error = None
        for path in (f"/{token}", f"/v1/storage/{token}/x?sig={token}", f"{PATH}?token={token}", f"/health/{token}"):
            for method in ("GET", "POST", "PUT", "OPTIONS", "TRACE"):
                await gateway.client.request(method, path, headers=secret, content=photo)
        for name in ("X-Request-Id", "traceparent", "Content-Type", "Idempotency-Key", "X-Frond-Deadline-Ms", "Cookie"):
            await gateway.client.post(PATH, headers=secret | {name: f"{token} {token}"}, files=form(photo))
        traced = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "tracestate": f"{token[:200]} is malformed"}
        await gateway.client.post(PATH, headers=secret | traced, files=form(photo))
        await gateway.client.post(PATH, headers={"Authorization": f"Bearer {token}x"}, files=form(photo))
        await gateway.client.post(PATH, headers={"Authorization": token}, files=form(photo))
        for image in ({"url": f"http://photos.test/v1/storage/a/b?sig={token}"}, {token: token}, token):
            await gateway.client.post(PATH, headers=secret, json=DETAILS | {"images": [image]})
        ticket = (await gateway.ask_for_urls(photo)).json()["result"]
        await gateway.put(ticket, photo)
        await gateway.put(ticket, photo + b"x")
        await gateway.diagnose_urls((photo, ticket["downloadUrl"]))
        await gateway.diagnose_urls((photo, ticket["downloadUrl"] + "x"))
    text = log.getvalue()
    assert text.count('"message": "request"') > 30
    assert "a bug" in text
    signatures = {url.partition("?")[2] for url in (ticket["uploadUrl"], ticket["downloadUrl"])}
    for part in token.split("."):
        assert part not in text
    for signature in signatures:
        assert signature not in text
        assert signature.rpartition("=")[2] not in text
    assert "PHOTO-SECRET" not in text
    assert base64.b64encode(photo)[:40].decode() not in text
    assert "IHDR" not in text


async def test_what_is_no_request_fills_no_log(gateway: Gateway) -> None:
    with captured() as log:
        for sent in (
            b"BREW / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.client.base_url.port)
            writer.write(sent)
            assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
            writer.transport.abort()
    assert log.getvalue() == ""
