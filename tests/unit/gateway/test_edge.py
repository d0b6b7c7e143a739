"""Request ids, security headers, log lines, metrics, and what nobody caught."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway import errors
from gateway.edge import Edge, LastResort
from gateway.errors import GatewayError, category_of
from gateway.logs import JsonFormatter
from gateway.metrics import Metrics
from gateway.tracing import Tracing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


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


async def cancelled(_request: Request) -> Response:
    """As the server does to what is not over in time when it stops."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)
    raise AssertionError


async def crowded(_request: Request) -> Response:
    return PlainTextResponse("later", 429)


class WithState:
    """What the lifespan gives every request."""

    def __init__(self, app: ASGIApp, **state: Any) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, "state": dict(self.state)}, receive, send)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def client_of(metrics: Metrics, tracing: Tracing | None = None, *, is_https: bool = False) -> httpx2.AsyncClient:
    handlers = {
        "fine": fine,
        "broken": broken,
        "half": broken_half_way,
        "crowded": crowded,
        "cancelled": cancelled,
        "things/{name}": fine,
    }
    handlers["health/live"] = fine
    app = Starlette(
        routes=[Route(f"/{path}", handler) for path, handler in handlers.items()],
        middleware=[Middleware(Edge, is_https=is_https), Middleware(LastResort)],
    )
    transport = httpx2.ASGITransport(WithState(app, metrics=metrics, tracing=tracing or Tracing()))
    return httpx2.AsyncClient(transport=transport, base_url="http://here")


@pytest.fixture
async def client(metrics: Metrics) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(metrics) as client:
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


async def test_what_the_server_cancels_as_it_stops_may_be_sent_again(client: httpx2.AsyncClient) -> None:
    response = await client.get("/cancelled")
    error = response.json()["error"]
    assert response.status_code == 503
    assert (error["category"], error["code"], error["retryable"]) == ("server", "stopping", True)


async def test_a_bug_is_logged_once_with_its_request_id(client: httpx2.AsyncClient, lines: io.StringIO) -> None:
    await client.get("/broken", headers={"X-Request-Id": "42"})
    (bug,) = [line for line in objects(lines) if "traceback" in line]
    assert bug["request_id"] == "42"
    assert "the password is secret" in bug["traceback"]


async def test_an_answer_that_breaks_half_way_is_left_to_the_server(client: httpx2.AsyncClient) -> None:
    with pytest.raises(RuntimeError, match="half way"):
        await client.get("/half")


async def test_probes_fill_no_log(client: httpx2.AsyncClient, lines: io.StringIO) -> None:
    assert (await client.get("/health/live")).status_code == 200
    assert [line["logger"] for line in objects(lines)] == ["inner"]


async def test_probes_fill_no_collector(metrics: Metrics) -> None:
    """They come every two seconds, and are all alike."""
    collected, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(collected))
    async with client_of(metrics, Tracing(provider.get_tracer("test"), sample_ratio=1)) as client:
        for path in ("/health/live", "/fine", "/health/live"):
            await client.get(path)
    assert [span.name for span in collected.get_finished_spans()] == ["GET /fine"]


async def test_a_request_is_one_line_with_its_route_and_no_path_query_or_header(
    client: httpx2.AsyncClient, lines: io.StringIO
) -> None:
    headers = {"Authorization": "Bearer hidden", "Cookie": "hidden", "X-Request-Id": "7"}
    await client.get("/things/hidden?signature=hidden", headers=headers)
    await client.get("/hidden", headers=headers)
    inner, line, unknown = objects(lines)
    assert (line["route"], line["status"], line["request_id"]) == ("/things/{name}", 200, "7")
    assert unknown["route"] == "other"
    assert inner["request_id"] == "7"
    assert "hidden" not in json.dumps(objects(lines))


async def test_the_callers_trace_stands_in_every_line_of_a_request(
    client: httpx2.AsyncClient, lines: io.StringIO
) -> None:
    await client.get("/fine", headers={"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-00"})
    assert [line["trace_id"] for line in objects(lines)] == [TRACE_ID, TRACE_ID]


@pytest.mark.parametrize("traceparent", ["", "00-0-0-00", f"ff-{TRACE_ID}-b7ad6b7169203331-00", "é" * 60, '"}'])
async def test_a_malformed_trace_is_none(client: httpx2.AsyncClient, lines: io.StringIO, traceparent: str) -> None:
    response = await client.get("/fine", headers=[(b"traceparent", traceparent.encode())])
    assert response.status_code == 200
    assert all("trace_id" not in line for line in objects(lines))


async def test_who_asks_too_often_fills_no_log(client: httpx2.AsyncClient, lines: io.StringIO) -> None:
    assert (await client.get("/crowded")).status_code == 429
    assert objects(lines) == []


@pytest.mark.parametrize("path", ["/fine", "/broken", "/nothing"])
async def test_every_answer_has_the_security_headers(client: httpx2.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in headers


async def test_behind_tls_browsers_are_told_to_stay_with_it(metrics: Metrics) -> None:
    async with client_of(metrics, is_https=True) as client:
        assert "max-age=" in (await client.get("/fine")).headers["strict-transport-security"]


async def test_requests_are_counted_by_route_status_category_and_code(
    client: httpx2.AsyncClient, metrics: Metrics
) -> None:
    for path in ("/fine", "/things/a", "/things/b", "/crowded", "/broken", "/a", "/b"):
        await client.get(path)
    with pytest.raises(RuntimeError, match="half way"):
        await client.get("/half")
    counted = {
        tuple(sample.labels.values()): sample.value
        for metric in metrics.requests.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }
    assert counted == {
        ("/fine", "200", "none", "none"): 1,
        ("/things/{name}", "200", "none", "none"): 2,
        ("/crowded", "429", "server", "none"): 1,
        ("/broken", "500", "server", "internal_error"): 1,
        ("/half", "200", "none", "none"): 1,
        ("other", "404", "validation", "none"): 2,
    }
    assert metrics.in_flight._value.get() == 0


def test_the_category_of_a_status_is_that_of_the_errors_with_it() -> None:
    tree = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, GatewayError)]
    concrete = [each for each in tree if each is not GatewayError]
    assert concrete
    assert [category_of(error.status) for error in concrete] == [error.category for error in concrete]
    assert category_of(200) is category_of(304) is None
