"""Lines, areas and bars as SVG, in the colours of the console."""

from __future__ import annotations

import math
import time
from html import escape
from typing import TYPE_CHECKING

from cli.dashboard.units import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    Points = Sequence[tuple[float, float]]

# Told apart by people who see no red or green, too (Okabe and Ito 2008), darkened for thin lines on white.
COLOURS = ("#2f7a53", "#cf8436", "#2b6ca3", "#a3476f", "#7a7a2a", "#5d6a63", "#8e5bb5", "#b0402f")
HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 190, 58, 8, 8, 22
WIDTH_OF_COLUMN = 52
BINARY = 1024
ROUND = (1, 2, 2.5, 5, 10)
MOMENTS = (60, 180, 600, 3600, 14400)  # seconds between those that are named


class Frame:
    """Where a moment and a value lie on the picture; the values begin at 0, and are whole numbers if `is_whole`."""

    def __init__(
        self, columns: int, start: float, end: float, highest: float, unit: str = "short", *, is_whole: bool = False
    ) -> None:
        self.width = columns * WIDTH_OF_COLUMN
        self.start, self.end, self.unit = start, end, unit
        step = rounded(highest / 4 or 0.25, unit)
        self.step = rounded(math.ceil(step)) if is_whole else step
        self.top = self.step * max(1, math.ceil(highest / self.step - 1e-9))

    def x(self, moment: float) -> float:
        return LEFT + (moment - self.start) / (self.end - self.start) * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - min(max(value, 0), self.top) / self.top * (HEIGHT - TOP - BOTTOM)

    def grid(self) -> str:
        values = [self.step * index for index in range(round(self.top / self.step) + 1)]
        lines = "".join(
            f'<path class="grid" d="M{LEFT} {self.y(value):.1f}H{self.width - RIGHT}"/>'
            f'<text x="{LEFT - 6}" y="{self.y(value) + 4:.1f}" text-anchor="end">{self.tick(value)}</text>'
            for value in values
        )
        return lines + "".join(
            f'<text x="{self.x(moment):.1f}" y="{HEIGHT - 6}" text-anchor="middle">'
            f"{time.strftime('%H:%M', time.localtime(moment))}</text>"
            for moment in self.moments()
        )

    def tick(self, value: float) -> str:
        """With as many decimals as tell one from the next; a round step has two digits at most."""
        step = self.step * 100 if self.unit == "percentunit" else self.step
        return text(value, self.unit, 1 - math.floor(math.log10(step)) if step < 1 else None)

    def moments(self) -> list[float]:
        """Full minutes or hours, six at most, none at the edge."""
        shown = self.end - self.start
        step = next((each for each in MOMENTS if shown / each <= 6), MOMENTS[-1])
        first = math.ceil(self.start / step)
        found = [number * step for number in range(first, math.floor(self.end / step) + 1)]
        return [each for each in found if 0.04 < (each - self.start) / shown < 0.96]

    def picture(self, content: str, title: str) -> str:
        return f'<svg viewBox="0 0 {self.width} {HEIGHT}" role="img" aria-label="{escape(title)}">{content}</svg>'


def rounded(step: float, unit: str = "short") -> float:
    """The next round number: 1, 2, 2.5 or 5 times a power of ten; of KiB, MiB and so on where it is bytes."""
    if unit == "bytes" and step >= BINARY:
        size = float(BINARY) ** math.floor(math.log(step, BINARY))
        return size * rounded(step / size)
    power = 10.0 ** math.floor(math.log10(step))
    return next(each * power for each in ROUND if each * power >= step * (1 - 1e-9))


def colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def lines(frame: Frame, series: Sequence[Points], gap_seconds: float) -> str:
    """One for each; a gap where nothing was to be had."""
    return "".join(
        f'<path class="line" stroke="{colour(index)}" d="{path(frame, part)}"/>'
        for index, points in enumerate(series)
        for part in unbroken(points, gap_seconds)
    )


def unbroken(points: Points, gap_seconds: float) -> list[list[tuple[float, float]]]:
    parts: list[list[tuple[float, float]]] = []
    for point in points:
        if not parts or point[0] - parts[-1][-1][0] > gap_seconds:
            parts.append([])
        parts[-1].append(point)
    return parts


def path(frame: Frame, points: Points) -> str:
    """A lone point is a short dash."""
    places = [f"{frame.x(moment):.1f} {frame.y(value):.1f}" for moment, value in points]
    return f"M{' L'.join(places)}" if len(places) > 1 else f"M{places[0]}h2"


def areas(frame: Frame, series: Sequence[Points]) -> str:
    """One upon the other; a series that is not there at a moment is 0 then."""
    lower = dict.fromkeys(sorted({moment for points in series for moment, _ in points}), 0.0)
    drawn = []
    for index, points in enumerate(series):
        found = dict(points)
        upper = {moment: value + found.get(moment, 0.0) for moment, value in lower.items()}
        outline = [*upper.items(), *reversed(lower.items())]
        drawn.append(f'<path class="area" fill="{colour(index)}" d="{path(frame, outline)}Z"/>')
        lower = upper
    return "".join(drawn)


def totals(series: Sequence[Points]) -> list[float]:
    """What areas add up to, at each moment."""
    sums: dict[float, float] = {}
    for points in series:
        for moment, value in points:
            sums[moment] = sums.get(moment, 0.0) + value
    return list(sums.values())


def limit_line(frame: Frame, limit: float) -> str:
    return f'<path class="limit" d="M{LEFT} {frame.y(limit):.1f}H{frame.width - RIGHT}"/>' if limit <= frame.top else ""


def bars(columns: int, counts: Sequence[tuple[str, float]], title: str) -> str:
    """One for each name, with its number above it."""
    frame = Frame(columns, 0, len(counts), max(value for _, value in counts) * 1.1)
    wide = frame.x(1) - frame.x(0)
    drawn = [
        f'<rect fill="{COLOURS[0]}" x="{frame.x(index) + wide * 0.1:.1f}" y="{frame.y(value):.1f}"'
        f' width="{wide * 0.8:.1f}" height="{HEIGHT - BOTTOM - frame.y(value):.1f}"/>'
        f'<text x="{frame.x(index + 0.5):.1f}" y="{frame.y(value) - 3:.1f}" text-anchor="middle">{value:.0f}</text>'
        f'<text x="{frame.x(index + 0.5):.1f}" y="{HEIGHT - 6}" text-anchor="middle">{escape(name)}</text>'
        for index, (name, value) in enumerate(counts)
    ]
    return frame.picture("".join(drawn), title)
