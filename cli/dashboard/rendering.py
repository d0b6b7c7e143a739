"""Panels as HTML: the numbers of Prometheus, drawn as Grafana would draw them."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from cli.dashboard import drawing
from cli.dashboard.units import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cli.dashboard.board import Board, Panel, Target
    from cli.dashboard.prometheus import Prometheus, Series

POINTS = 120
AT_ONCE = 8  # queries; Prometheus answers up to 20
PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
NOTHING = '<p class="nothing">no data</p>'


@dataclass(frozen=True, slots=True)
class Range:
    """What is looked at: seconds since the epoch, and the seconds between two points."""

    start: float
    end: float
    step: float

    @classmethod
    def of_minutes(cls, minutes: int, scrape_seconds: float) -> Range:
        end = time.time()
        return cls(end - minutes * 60, end, max(scrape_seconds, minutes * 60 / POINTS))

    def variables(self, scrape_seconds: float) -> Mapping[str, str]:
        """As Grafana fills them in; everything that a list would choose from is chosen."""
        rate_seconds = max(4 * scrape_seconds, self.step + scrape_seconds)
        return {
            "namespace": ".*",
            "__rate_interval": f"{rate_seconds:.0f}s",
            "__range": f"{self.end - self.start:.0f}s",
        }


class Renderer:
    """Asks Prometheus for what the panels of a dashboard show."""

    def __init__(self, prometheus: Prometheus, scrape_seconds: float) -> None:
        self._prometheus = prometheus
        self._scrape_seconds = scrape_seconds

    def row(self, board: Board, minutes: int) -> str:
        """All panels, in the order of the file. Raises `Failure`."""
        shown = Range.of_minutes(minutes, self._scrape_seconds)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return "".join(pool.map(lambda panel: self._panel(panel, shown), board.panels))

    def _panel(self, panel: Panel, shown: Range) -> str:
        if panel.kind == "row":
            return f'<h2 style="grid-column:1/-1">{escape(panel.title)}</h2>'
        content = {"timeseries": self._plot, "stat": self._stat, "bargauge": self._bars}[panel.kind](panel, shown)
        if content == NOTHING:
            content += f'<p class="nothing">{escape(panel.description)}</p>'
        return (
            f'<section style="grid-column:span {panel.width}" title="{escape(panel.description)}">'
            f"<h3>{escape(panel.title)}</h3>{content}</section>"
        )

    def _now(self, target: Target, shown: Range) -> list[Series]:
        expression = target.filled(shown.variables(self._scrape_seconds))
        return [series for series in self._prometheus.at(expression, shown.end) if series.points]

    def _plot(self, panel: Panel, shown: Range) -> str:
        found = []
        for target in panel.targets:
            expression = target.filled(shown.variables(self._scrape_seconds))
            series = self._prometheus.over(expression, shown.start, shown.end, shown.step)
            found += [(name_of(target, each), each.points) for each in series if each.points]
        if not found:
            return NOTHING
        points = [each for _, each in sorted(found)]
        limit = panel.steps[0][0] if panel.steps else None
        values = drawing.totals(points) if panel.is_stacked else [value for each in points for _, value in each]
        frame = drawing.Frame(
            panel.width, shown.start, shown.end, max(values), panel.unit, is_whole=panel.decimals == 0
        )
        marks = drawing.areas(frame, points) if panel.is_stacked else drawing.lines(frame, points, 2.5 * shown.step)
        marks += drawing.limit_line(frame, limit) if limit is not None else ""
        return frame.picture(frame.grid() + marks, panel.title) + legend(name for name, _ in sorted(found))

    def _stat(self, panel: Panel, shown: Range) -> str:
        found = [(name_of(target, each), each) for target in panel.targets for each in self._now(target, shown)]
        if not found:
            return NOTHING
        return "".join(
            number(panel, name, each.points[-1][1]) for name, each in sorted(found, key=lambda pair: pair[0])
        )

    def _bars(self, panel: Panel, shown: Range) -> str:
        """Cumulative buckets, each less the one below it."""
        (target,) = panel.targets
        cumulative = sorted((float(each.labels["le"]), each.points[-1][1]) for each in self._now(target, shown))
        counts, below = [], 0.0
        for bound, count in cumulative:
            counts.append((f"{bound:g}", count - below))
            below = count
        if not below:
            return NOTHING
        return drawing.bars(panel.width, [each for each in counts if each[0] != "inf"], panel.title)


def name_of(target: Target, series: Series) -> str:
    if target.legend == "__auto":
        return ", ".join(series.labels.values())
    return PLACEHOLDER.sub(lambda found: series.labels.get(found[1], ""), target.legend)


def number(panel: Panel, name: str, value: float) -> str:
    passed = [shade for bound, shade in panel.steps if value >= bound]
    below = "red" if panel.steps and panel.steps[0][1] == "green" else ""
    caption = f"<small> {escape(name)}</small>" if name else ""
    shade = passed[-1] if passed else below
    return f'<div class="number {shade}">{text(value, panel.unit, panel.decimals)}{caption}</div>'


def legend(names: Iterable[str]) -> str:
    keys = (
        f'<span><i style="background:{drawing.colour(index)}"></i>{escape(name or "all")}</span>'
        for index, name in enumerate(names)
    )
    return f'<div class="legend">{"".join(keys)}</div>'
