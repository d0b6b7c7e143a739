"""A plot as SVG, in the colours of the page."""

from __future__ import annotations

import io
import itertools
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from loadtest.report.run import Plot

INK, SOFT, LINE = "#1d2622", "#5d6a63", "#dfe3dc"
# Told apart by people who see no red or green, too (Okabe and Ito 2008), darkened for thin lines on white.
COLOURS = ("#2f7a53", "#cf8436", "#2b6ca3", "#a3476f", "#7a7a2a", "#5d6a63", "#8e5bb5", "#b0402f")
WARNING = COLOURS[::-1]
# Lines that lie on each other show through each other's gaps.
DASHES: Any = ("-", (0, (4, 2)), (0, (1, 1.5)))
BEHIND: Any = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
STYLE: Any = {
    "font.size": 9,
    "font.family": "sans-serif",
    "svg.fonttype": "path",
    "svg.hashsalt": "frond",
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "axes.prop_cycle": cycler(color=COLOURS),
}


def svg(plot: Plot) -> bytes:
    """860 × 250 points, on transparent ground."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 2.5), layout="constrained")
        axes = figure.add_subplot()
        _lines(axes, plot)
        for name, value in plot.limits.items():
            axes.axhline(value, color=INK, linewidth=0.8, linestyle=(0, (3, 3)))
            where = ("axes fraction", "data"), "offset points"
            axes.annotate(name, (1, value), (-2, 2), *where, ha="right", color=INK, bbox=BEHIND)
        _frame(axes, plot)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None})
    return drawn.getvalue()


def _lines(axes: Any, plot: Plot) -> None:
    if plot.is_stacked and plot.lines:
        axes.stackplot(
            plot.lines[0].at,
            [line.values for line in plot.lines],
            labels=[line.name for line in plot.lines],
            colors=WARNING if plot.is_bad else COLOURS,
            alpha=0.85,
            linewidth=0,
        )
    elif not plot.is_stacked:
        for line, dashes in zip(plot.lines, itertools.cycle(DASHES), strict=False):
            marker = "." if len(line.at) < 3 else None
            axes.plot(line.at, line.values, label=line.name, linewidth=1.4, linestyle=dashes, marker=marker)


def _frame(axes: Any, plot: Plot) -> None:
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.margins(x=0)
    axes.set_ylabel(plot.unit)
    axes.set_xlabel("seconds since the start")
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    if not plot.lines:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel("")
        axes.text(0.5, 0.5, plot.note, transform=axes.transAxes, ha="center", va="center", color=SOFT)
    else:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.03), frameon=False, labelcolor=INK, handlelength=1.2)
