"""From measured seconds to figures, tables and the page of `make bench`."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.bench import page, tables
from loadtest.bench.figures import Figures, Rounds, TooShortError

LIMIT = Figures(100, 90, 110, 20, 30, 40, 9.5)
FROND = Figures(75.04, 70, 80, 100, 150, 200, 15.25)
RESULTS = {"256px": {"limit": LIMIT, "frond": FROND}, "12mp": {"limit": LIMIT, "frond": LIMIT}}


def test_of_the_rounds_the_median_counts_and_of_all_their_requests_the_percentiles() -> None:
    rounds = Rounds()
    for milliseconds in (10, 20, 40):
        rounds.add([milliseconds / 1000] * (400 // milliseconds), seconds=2, alone=[0.005])
    figures = rounds.figures()
    assert (figures.rate, figures.lowest, figures.highest) == (10, 5, 20)
    assert (figures.p50_ms, figures.p99_ms, figures.alone_p50_ms) == pytest.approx((10, 40, 5))


def test_a_round_in_which_nothing_was_answered_is_refused() -> None:
    with pytest.raises(TooShortError, match="take more --seconds"):
        Rounds().add([], seconds=1, alone=[0.1])


def test_the_last_line_holds_requests_a_second_by_size_and_target() -> None:
    assert tables.rates(RESULTS) == {"256px": {"limit": 100, "frond": 75.0}, "12mp": {"limit": 100, "frond": 100}}


def test_the_table_says_median_spread_and_share_of_the_limit() -> None:
    head, _, limit, frond = tables.throughput(RESULTS).splitlines()
    assert [cell.strip() for cell in head.split("|")[1:-1]] == ["requests/s", "256 px", "12 MP"]
    assert "100.0 (90.0–110.0) · 100%" in limit
    assert "75.0 (70.0–80.0) · 75%" in frond


def test_without_the_limit_there_is_no_share_of_it() -> None:
    assert "%" not in tables.throughput({"1mp": {"frond": FROND}})


def test_the_latencies_stand_beside_that_of_one_client_alone() -> None:
    assert "100 / 150 / 200, 15.2" in tables.latency(RESULTS)


def test_only_what_stands_between_the_marks_is_written_anew() -> None:
    text = f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n"
    assert page.rewrite(text, "new") == f"before\n{page.BEGIN}\nnew\n{page.END}\nafter\n"


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("by hand")
    with pytest.raises(page.PageError):
        page.publish("new", path)
    assert path.read_text() == "by hand"


def test_the_shipped_page_has_the_marks() -> None:
    assert "new" in page.rewrite(page.PAGE.read_text(encoding="utf-8"), "new")


def test_the_picture_is_the_same_for_the_same_results(tmp_path: Path) -> None:
    plot = pytest.importorskip("loadtest.bench.plot", reason="matplotlib comes with `make bench`")
    pictures = [tmp_path / "one.svg", tmp_path / "two.svg"]
    for picture in pictures:
        plot.draw(RESULTS, picture)
    one, two = (picture.read_text() for picture in pictures)
    assert one == two
    assert "Frond, gateway" in one
