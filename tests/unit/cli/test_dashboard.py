"""`frond dashboard`: files read, numbers written, lines drawn, pages served, of a Prometheus that is made up."""

from __future__ import annotations

import itertools
import json
import threading
import xml.etree.ElementTree as ET
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import httpx2
import pytest

from cli.dashboard.board import read_boards
from cli.dashboard.command import dashboard
from cli.dashboard.drawing import Frame, areas, bars, lines, rounded, unbroken
from cli.dashboard.page import MINUTES
from cli.dashboard.prometheus import Prometheus, series_of
from cli.dashboard.rendering import NOTHING, Range, Renderer
from cli.dashboard.server import PageServer
from cli.dashboard.units import text
from cli.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator


NONSENSE = "sum("


class MadeUp(BaseHTTPRequestHandler):
    """Answers each query with two series, and refuses nonsense."""

    def do_POST(self) -> None:
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        (query,) = asked["query"]
        moments = [float(asked[name][0]) for name in ("start", "end") if name in asked] or [float(asked["time"][0])]
        series = [
            {"metric": {"stage": name, "le": bound}, "values": [[moment, value] for moment in moments]}
            for name, bound, value in (("a<b", "0.5", "3"), ("c", "+Inf", "5"))
        ]
        if "time" in asked:
            series = [{"metric": each["metric"], "value": each["values"][0]} for each in series]  # type: ignore[index]
        content: dict[str, Any] = {"status": "success", "data": {"result": series}}
        if query == NONSENSE:
            content = {"status": "error", "error": "parse error"}
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def prometheus() -> Iterator[Prometheus]:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), MadeUp)) as url:
        asked = Prometheus(url)
        yield asked
        asked.close()


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "written"),
    [
        (0.0123, "percentunit", 1, "1.2 %"),
        (1, "percentunit", 2, "100 %"),
        (0.0042, "s", None, "4.2 ms"),
        (5, "s", None, "5 s"),
        (900, "s", None, "15 min"),
        (0, "s", None, "0 s"),
        (1536, "bytes", None, "1.5 KiB"),
        (0, "bytes", None, "0 B"),
        (1_200_000, "short", None, "1.2 M"),
        (1_200_000, "short", 0, "1.2 M"),
        (12.34, "reqps", 1, "12.3/s"),
        (2, "short", 0, "2"),
    ],
)
def test_numbers_are_written_as_people_read_them(value: float, unit: str, decimals: int | None, written: str) -> None:
    assert text(value, unit, decimals) == written


def test_every_unit_of_a_dashboard_can_be_written() -> None:
    for board in read_boards().values():
        for panel in board.panels:
            assert text(1.0, panel.unit, panel.decimals)


def test_no_variable_is_left_in_a_query() -> None:
    variables = Range.of_minutes(15, 5).variables(5)
    targets = [target for board in read_boards().values() for panel in board.panels for target in panel.targets]
    assert len(targets) > 60
    assert not [target for target in targets if "$" in target.filled(variables)]


def test_a_rate_looks_at_four_scrapes_at_least_and_at_every_point() -> None:
    assert Range.of_minutes(5, 5).variables(5)["__rate_interval"] == "20s"
    assert Range.of_minutes(1440, 5).variables(5)["__rate_interval"] == "725s"


@pytest.mark.parametrize(("step", "next_one"), [(0.3, 0.5), (1, 1), (1.2, 2), (2.2, 2.5), (7, 10), (30, 50)])
def test_steps_of_a_scale_are_round(step: float, next_one: float) -> None:
    assert rounded(step) == pytest.approx(next_one)


@pytest.mark.parametrize(("step", "next_one"), [(30, 50), (1500, 2048), (300 * 2**10, 500 * 2**10), (2**21, 2**21)])
def test_steps_of_bytes_are_round_where_they_are_written(step: float, next_one: float) -> None:
    assert rounded(step, "bytes") == pytest.approx(next_one)


def test_what_is_counted_in_whole_numbers_has_no_halves_on_its_scale() -> None:
    assert Frame(8, 0, 60, 2).step == 0.5
    assert Frame(8, 0, 60, 2, is_whole=True).step == 1
    assert Frame(8, 0, 60, 9, is_whole=True).step == 5
    assert Frame(8, 0, 60, 0, is_whole=True).top == 1


@pytest.mark.parametrize("minutes", MINUTES)
def test_named_moments_are_full_minutes_and_have_room(minutes: int) -> None:
    frame = Frame(8, 1_790_000_123, 1_790_000_123 + minutes * 60, 1)
    moments = frame.moments()
    assert 3 <= len(moments) <= 6
    assert all(each % 60 == 0 for each in moments)
    assert all(frame.x(later) - frame.x(earlier) > 40 for earlier, later in itertools.pairwise(moments))


def test_the_highest_value_is_on_the_picture() -> None:
    frame = Frame(8, 0, 60, 7.3)
    assert frame.top >= 7.3
    assert frame.y(0) > frame.y(7.3) > 0
    assert frame.x(0) < frame.x(60) < frame.width


def test_a_gap_in_the_data_is_one_in_the_line() -> None:
    points = [(0.0, 1.0), (5.0, 1.0), (30.0, 1.0), (35.0, 2.0)]
    assert [len(part) for part in unbroken(points, 12)] == [2, 2]
    assert lines(Frame(8, 0, 60, 2), [points], 12).count("<path") == 2


def test_areas_lie_on_each_other() -> None:
    frame = Frame(8, 0, 10, 4)
    drawn = areas(frame, [[(0.0, 1.0), (10.0, 1.0)], [(0.0, 3.0)]])
    assert f"{frame.x(0):.1f} {frame.y(4):.1f}" in drawn
    assert f"{frame.x(10):.1f} {frame.y(1):.1f}" in drawn


def test_names_are_text_on_every_picture() -> None:
    assert "a&lt;b" in bars(8, [("a<b", 3.0)], "x")


def test_what_is_no_number_is_left_out() -> None:
    assert series_of({}, [(1.0, "NaN"), (2.0, "4"), (3.0, "+Inf")]).points == ((2.0, 4.0),)


def test_a_row_has_every_panel_with_its_data(prometheus: Prometheus) -> None:
    for board in read_boards().values():
        row = Renderer(prometheus, 5).row(board, 15)
        assert NOTHING not in row
        root = ET.fromstring(f"<div>{row}</div>")  # noqa: S314
        assert len(root.findall("section")) == len([panel for panel in board.panels if panel.kind != "row"])
        assert len(root.findall("h2")) == len([panel for panel in board.panels if panel.kind == "row"])
        assert "<b" not in row.replace("<br", "")


def test_a_refused_query_and_a_silent_prometheus_are_said_in_a_sentence(prometheus: Prometheus) -> None:
    with pytest.raises(Failure, match="refuses sum\\(: parse error"):
        prometheus.at(NONSENSE, 1.0)
    nobody = Prometheus("http://127.0.0.1:1")
    with pytest.raises(Failure, match="does not answer"):
        nobody.at("up", 1.0)
    nobody.close()


def test_pages_are_served_and_other_paths_are_not(prometheus: Prometheus) -> None:
    boards = read_boards()
    with (
        serving(PageServer(0, boards, Renderer(prometheus, 5))) as url,
        httpx2.Client(base_url=url, trust_env=False, follow_redirects=True) as client,
    ):
        first = client.get("/")
        assert first.url.path == "/frond-operator"
        for name, board in boards.items():
            page = client.get(f"/{name}", params={"minutes": "60"})
            assert page.status_code == 200
            assert f"<title>{board.title}</title>" in page.text
            assert 'aria-current="page">1 h<' in page.text
        assert client.get("/../etc/passwd").status_code == 404
        assert 'aria-current="page">5 min<' in client.get("/frond-client?minutes=<script>").text
        assert "<script" not in client.get("/frond-client?minutes=<script>").text


def test_a_prometheus_that_is_out_is_a_page_that_says_so() -> None:
    nobody = Prometheus("http://127.0.0.1:1")
    with (
        serving(PageServer(0, read_boards(), Renderer(nobody, 5))) as url,
        httpx2.Client(base_url=url, trust_env=False) as client,
    ):
        page = client.get("/frond-operator")
        assert page.status_code == 502
        assert "does not answer" in page.text
    nobody.close()


@pytest.mark.parametrize("unit", ["short", "percentunit", "reqps"])
@pytest.mark.parametrize("highest", [0.004, 0.009, 0.09, 0.9, 3, 900, 9e3])
def test_each_line_of_the_grid_has_a_number_of_its_own(highest: float, unit: str) -> None:
    frame = Frame(8, 0, 60, highest, unit)
    ticks = [frame.tick(frame.step * index) for index in range(5)]
    assert len(set(ticks)) == 5, ticks


def test_a_prometheus_that_is_not_there_is_told_before_pages_are_served() -> None:
    with pytest.raises(Failure, match=r"Prometheus at http://127\.0\.0\.1:1 does not answer"):
        dashboard(prometheus="http://127.0.0.1:1", port=0)
