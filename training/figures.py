"""Pictures for the card, as inline SVG: drawn by a few lines of our own, coloured by the page's style sheet.

Each has a title and a description for those who do not see it. A phone shows one unit of the view box as about a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from training.bootstrap import wilson

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from training.metrics import Bins, RiskCoverage
    from training.refusals import Histogram

WIDTH = 360
LEFT, RIGHT, TOP, BOTTOM = 38, 14, 24, 38
PLOT_HEIGHT = 240
COUNTS_HEIGHT = 52  # the strip of bin counts below a reliability diagram
ROW_HEIGHT, ROW_TITLE_HEIGHT = 46, 16  # of a sample in the picture of scores
FEW_PHOTOS = 10  # a bin with fewer is drawn pale: its share says little
QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
GAP = 0.004  # between two bars, in the unit of the axis


@dataclass(frozen=True, slots=True)
class Axes:
    """A rectangle of the picture, and the ranges of values it shows."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    top: float
    height: float

    def x(self, value: float) -> float:
        low, high = self.x_range
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return self.top + self.height - (value - low) / (high - low) * self.height

    def box(self, style: str, left: float, right: float, low: float, high: float) -> str:
        x, y = self.x(left), self.y(high)
        width, height = self.x(right) - x, self.y(low) - y
        return f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'

    def line(self, style: str, points: Iterable[tuple[float, float]]) -> str:
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        return f'<polyline class="{style}" points="{path}"/>'

    def across(self, style: str, y: float) -> str:
        return self.line(style, [(self.x_range[0], y), (self.x_range[1], y)])

    def dot(self, style: str, x: float, y: float) -> str:
        return f'<circle class="{style}" cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="3.5"/>'

    def x_axis(self, ticks: Sequence[float], form: str, label: str) -> str:
        base = self.top + self.height
        marks = (_text(self.x(tick), base + 14, format(tick, form), "middle") for tick in ticks)
        return "".join(marks) + _text(WIDTH - RIGHT, base + 31, label, "end", "label")

    def y_axis(self, ticks: Sequence[float], form: str, label: str) -> str:
        lines = (self.across("grid", tick) for tick in ticks)
        marks = (_text(LEFT - 5, self.y(tick) + 3.5, format(tick, form), "end") for tick in ticks)
        return "".join((*lines, *marks)) + _text(2, self.top - 12, label, "start", "label")


def reliability_diagram(bins: Bins, name: str, title: str) -> str:
    """Share right against confidence, bin by bin, with the gap between them, Wilson intervals, and the counts."""
    plot = Axes((0, 1), (0, 1), TOP, PLOT_HEIGHT)
    strip = Axes((0, 1), (0, float(bins.counts.max()) * 1.35), TOP + PLOT_HEIGHT + 8, COUNTS_HEIGHT)
    parts = [plot.y_axis(QUARTERS, ".0%", "share right"), strip.x_axis(QUARTERS, ".0%", "confidence")]
    told = []
    rows = zip(bins.lower, bins.upper, bins.counts, bins.confidence, bins.accuracy, strict=True)
    for lower, upper, count, confidence, accuracy in rows:
        pale = " pale" if count < FEW_PHOTOS else ""
        left, middle, right = lower + GAP, (lower + upper) / 2, upper - GAP
        interval = wilson(float(accuracy), int(count))
        kept, gap = min(accuracy, confidence), "more" if accuracy > confidence else "less"
        parts += [
            plot.box(f"leaf{pale}", left, right, 0, kept),
            plot.box(f"{gap}{pale}", left, right, kept, max(accuracy, confidence)),
            plot.line(f"whisker{pale}", [(middle, interval.low), (middle, interval.high)]),
            strip.box("more", left, right, 0, count),
            _text(strip.x(middle), strip.y(count) - 2, str(count), "middle", "small"),
        ]
        told.append(f"{lower:.0%} to {upper:.0%}: {count} photos, confidence {confidence:.1%}, right {accuracy:.1%}")
    parts.append(plot.line("ideal", [(0, 0), (1, 1)]))
    return _picture(name, title, told, strip.top + strip.height + BOTTOM, parts)


def risk_coverage_picture(curves: Sequence[tuple[str, RiskCoverage]], min_confidence: float, target: float) -> str:
    """Wrong answers against photos answered, as shares, surest first; a dot where the release stops answering."""
    top = max(max(float(curve.risk.max()) for _, curve in curves) * 1.15, target * 2)
    plot = Axes((0, 1), (0, top), TOP, PLOT_HEIGHT)
    parts = [plot.y_axis(_ticks(0, top), ".1%", "wrong, of those answered"), plot.x_axis(QUARTERS, ".0%", "answered")]
    parts.append(plot.across("ideal", target))
    told = []
    for (title, curve), style in zip(curves, ("first", "second"), strict=False):
        last = max(int((curve.confidence >= min_confidence).sum()) - 1, 0)
        coverage, risk = float(curve.coverage[last]), float(curve.risk[last])
        parts.append(plot.line(f"curve {style}", zip(curve.coverage, curve.risk, strict=True)))
        parts.append(plot.dot(style, coverage, risk))
        told.append(f"{title}: {risk:.2%} wrong at {coverage:.1%} answered, {curve.risk[-1]:.2%} when all are")
    return _picture("risk-coverage", "Risk and coverage", told, plot.top + plot.height + BOTTOM, parts)


def score_picture(scores: Histogram, rows: Sequence[tuple[str, str, str]], threshold: float | None) -> str:
    """One row a sample, given as (name, title, style): how its scores spread, and the threshold through all rows."""
    ends = (float(scores.edges[0]), float(scores.edges[-1]))
    whole = Axes(ends, (0, 1), 0, len(rows) * ROW_HEIGHT)
    parts = [whole.x_axis(_ticks(*ends), "g", scores.score)]
    if threshold is not None and ends[0] < threshold < ends[1]:
        parts.append(whole.line("threshold", [(threshold, 0), (threshold, 1)]))
    told = [f"the threshold is {'not used' if threshold is None else f'{threshold:.2f}'}"]
    for row, (name, title, style) in enumerate(rows):
        shares = scores.counts[name] / scores.counts[name].sum()
        top = row * ROW_HEIGHT + ROW_TITLE_HEIGHT
        axes = Axes(ends, (0, float(shares.max())), top, ROW_HEIGHT - ROW_TITLE_HEIGHT)
        bars = zip(scores.edges[:-1], scores.edges[1:], shares, strict=True)
        parts += [axes.box(style, left, right, 0, share) for left, right, share in bars if share]
        parts += [axes.across("grid", 0), _text(2, top - 3, title, "start", "label halo")]
        middle = float(scores.edges[:-1][np.searchsorted(np.cumsum(shares), 0.5)])
        told.append(f"{title}: half of the photos below about {middle:.1f}")
    return _picture(scores.score.replace(" ", "-"), scores.score.capitalize(), told, whole.height + BOTTOM, parts)


def _ticks(low: float, high: float) -> list[float]:
    """Three to eight round values between two."""
    rough = (high - low) / 5
    magnitude = 10.0 ** np.floor(np.log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= rough)
    return [round(float(tick), 9) + 0.0 for tick in np.arange(np.ceil(low / step) * step, high, step)]


def _text(x: float, y: float, text: str, anchor: str, style: str = "tick") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _picture(name: str, title: str, told: Sequence[str], height: float, parts: Iterable[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-labelledby="{name}-title {name}-description">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-description">{escape("; ".join(told))}.</desc>{"".join(parts)}</svg>'
    )
