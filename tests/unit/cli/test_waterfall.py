"""A trace as a picture and as text: a row for each span, parents first, bars to scale."""

from __future__ import annotations

import random
import socket
from xml.etree import ElementTree as ET

import httpx2
import pytest

from cli.failure import Failure
from cli.trace.collector import MAX_BODY_BYTES, collecting
from cli.trace.spans import Span, rows_of
from cli.trace.waterfall import LABELS, RIGHT, WIDTH, render_svg, render_text
from stack.ports import free_ports

MS = 1_000_000
SVG = "{http://www.w3.org/2000/svg}"


def span(name: str, parent: str, began_ms: int, ended_ms: int, queued_ms: int | None = None) -> Span:
    """With a time at which Triton's queue got it: one of Triton's."""
    service = "app" if queued_ms is None else "frond-triton"
    events = {} if queued_ms is None else {"QUEUE_START": queued_ms * MS}
    return Span(service, name, "ab" * 16, name, parent, began_ms * MS, ended_ms * MS, events)


TRACE = [
    span("call", "", 0, 100),
    span("first", "call", 5, 40),
    span("model", "first", 10, 35, queued_ms=20),
    span("compute", "model", 30, 34),
    span("second", "call", 50, 95),
]


def test_parents_come_before_their_children_and_siblings_in_their_order() -> None:
    shuffled = random.Random(1).sample(TRACE, len(TRACE))
    assert [(row.span.name, row.depth) for row in rows_of(shuffled)] == [
        ("call", 0),
        ("first", 1),
        ("model", 2),
        ("compute", 3),
        ("second", 1),
    ]


def test_a_span_whose_parent_is_not_there_is_a_root() -> None:
    assert [row.depth for row in rows_of([span("orphan", "elsewhere", 0, 1), *TRACE])] == [0, 1, 2, 3, 1, 0]


def bars(svg: str, fill: str) -> list[tuple[float, float]]:
    """Beginning and length of each, as shares of the whole."""
    room = WIDTH - LABELS - RIGHT
    found = [each for each in ET.fromstring(svg).iter(f"{SVG}rect") if each.get("fill") == fill]  # noqa: S314
    return [
        ((float(each.attrib["x"]) - LABELS) / room, float(each.attrib["width"]) / room)
        for each in found
        if float(each.get("x", 0)) >= LABELS
    ]


def test_a_bar_is_where_and_as_long_as_its_span_was() -> None:
    svg = render_svg(TRACE)
    expected = [(0, 1), (0.05, 0.35), (0.3, 0.04), (0.5, 0.45)]
    assert bars(svg, "#8a5a00") == [pytest.approx(each, abs=0.001) for each in expected]
    assert bars(svg, "#3a5bbf") == [pytest.approx((0.1, 0.25), abs=0.001)]


def test_the_time_in_tritons_queue_is_shown_within_the_bar() -> None:
    assert bars(render_svg(TRACE), "#ffffff") == [pytest.approx((0.2, 0.1), abs=0.001)]


def test_a_name_is_no_markup() -> None:
    texts = [each.text for each in ET.fromstring(render_svg([span("a<b>&c", "", 0, 1)])).iter(f"{SVG}text")]  # noqa: S314
    assert "a<b>&c" in texts


def test_the_text_has_a_line_for_each_span() -> None:
    lines = render_text(TRACE).splitlines()
    assert [line.split()[0] for line in lines] == ["call", "first", "model", "compute", "second"]
    assert "25.00 ms" in lines[2]


def test_where_a_collector_listens_already_the_trace_is_to_be_seen_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Failure, match=f"listens at {endpoint} already"), collecting(endpoint):
            pass
    with pytest.raises(Failure, match="not this machine"), collecting("http://collector.test:4318"):
        pass


def test_it_listens_at_the_ipv6_loopback_as_well_and_calls_it_taken_only_where_it_is() -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as free:
            port = free.getsockname()[1]
    except OSError:
        with pytest.raises(Failure, match="Nothing can listen at"), collecting("http://[::1]:4318"):
            pass
        return
    with collecting(f"http://[::1]:{port}"), socket.create_connection(("::1", port), timeout=5):
        pass


@pytest.mark.parametrize(
    ("length", "status"), [("many", 400), ("-1", 400), ("9" * 5000, 400), (str(MAX_BODY_BYTES + 1), 413)]
)
def test_a_length_that_is_none_is_answered_and_not_waited_for(length: str, status: int) -> None:
    (port,) = free_ports(1)
    with collecting(f"http://127.0.0.1:{port}"), socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(f"POST /v1/traces HTTP/1.0\r\nContent-Length: {length}\r\n\r\n".encode())
        with client.makefile("rb") as answer:
            assert answer.readline().split()[1] == str(status).encode()


async def test_what_is_no_trace_is_refused() -> None:
    (port,) = free_ports(1)
    with collecting(f"http://127.0.0.1:{port}") as collector:
        async with httpx2.AsyncClient(trust_env=False) as client:
            answers = [
                await client.post(f"http://127.0.0.1:{port}/v1/traces", content=b"{no", headers={"Content-Type": kind})
                for kind in ("application/json", "application/x-protobuf")
            ]
        assert [answer.status_code for answer in answers] == [400, 400]
        assert collector.spans == []
