"""Request ids, log lines, and what nobody caught."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.edge import Edge
from gateway.logs import JsonFormatter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request


async def fine(_request: Request) -> Response:
    logging.getLogger("inner").info("working")
    return PlainTextResponse("fine")


async def broken(_request: Request) -> Response:
    raise RuntimeError("the password is secret")


async def broken_half_way(_request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("half way")

    return StreamingResponse(pieces())


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    routes = [Route("/fine", fine), Route("/broken", broken), Route("/half", broken_half_way)]
    app = Starlette(routes=routes, middleware=[Middleware(Edge)])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://here") as client:
        yield client


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the log says, as one JSON object a line."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def objects(stream: io.StringIO) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [line for line in found if line["logger"] in {"gateway.edge", "inner"}]


async def test_a_good_request_id_is_kept(client: httpx2.AsyncClient) -> None:
    response = await client.get("/fine", headers={"X-Request-Id": "app-1.2_3"})
    assert response.headers["x-request-id"] == "app-1.2_3"


@pytest.mark.parametrize("wanted", ["", "two words", "x" * 129, '{"a":1}', "<b>"])
async def test_a_request_id_that_could_break_a_log_line_is_replaced(client: httpx2.AsyncClient, wanted: str) -> None:
    response = await client.get("/fine", headers={"X-Request-Id": wanted})
    assert response.headers["x-request-id"] != wanted
    assert len(response.headers["x-request-id"]) == 36


async def test_nothing_may_be_cached(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/fine")).headers["cache-control"] == "no-store"


async def test_a_bug_is_answered_in_the_envelope_without_its_text(client: httpx2.AsyncClient) -> None:
    response = await client.get("/broken", headers={"X-Request-Id": "1"})
    assert response.status_code == 500
    assert response.json()["requestId"] == response.headers["x-request-id"] == "1"
    assert response.json()["error"]["code"] == "internal_error"
    assert "secret" not in response.text


async def test_a_bug_is_logged_once_with_its_request_id(client: httpx2.AsyncClient, lines: io.StringIO) -> None:
    await client.get("/broken", headers={"X-Request-Id": "42"})
    (bug,) = [line for line in objects(lines) if "traceback" in line]
    assert bug["request_id"] == "42"
    assert "the password is secret" in bug["traceback"]


async def test_an_answer_that_breaks_half_way_is_left_to_the_server(client: httpx2.AsyncClient) -> None:
    with pytest.raises(RuntimeError, match="half way"):
        await client.get("/half")


async def test_probes_fill_no_log(client: httpx2.AsyncClient, lines: io.StringIO) -> None:
    await client.get("/health/live")
    assert objects(lines) == []


async def test_a_request_is_one_line_with_its_path_and_no_query_or_header(
    client: httpx2.AsyncClient, lines: io.StringIO
) -> None:
    await client.get("/fine?signature=hidden", headers={"Authorization": "Bearer hidden", "X-Request-Id": "7"})
    inner, line = objects(lines)
    assert (line["path"], line["status"], line["request_id"]) == ("/fine", 200, "7")
    assert inner["request_id"] == "7"
    assert "hidden" not in json.dumps([inner, line])
