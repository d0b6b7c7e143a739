"""The results as bars: a panel a size, a bar a target, its rounds from the lowest to the highest as a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from loadtest.bench.photos import TITLES

if TYPE_CHECKING:
    from pathlib import Path

    from loadtest.bench.figures import Figures
    from loadtest.bench.measurement import Results

NAMES = {
    "limit": "bare loop",
    "limit-readied": "bare loop, as Frond's",
    "fastapi": "FastAPI + ONNX Runtime",
    "fastapi-tuned": "FastAPI, as Frond's",
    "litserve": "LitServe",
    "bentoml": "BentoML",
    "triton": "Triton, plain BLS",
    "diagnose": "Frond's diagnose",
    "frond": "Frond, gateway",
}
PEER, LINE, VALUE = "#b9c4ce", "#333333", "#1a1a1a"
COLOURS = {"limit": "#e6eaee", "limit-readied": "#e6eaee", "diagnose": "#a9d6b8", "frond": "#5db884"}
# The same run gives the same file; and text as text, which is lighter and can be searched.
STYLE: Any = {"svg.hashsalt": "frond", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}


def draw(results: Results, path: Path) -> None:
    """Write the picture, SVG or PNG by the path's ending."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.5, 2.9), layout="constrained")
        panels = figure.subplots(1, len(results), sharey=True, squeeze=False)[0]
        for panel, (size, figures) in zip(panels, results.items(), strict=True):
            _panel(panel, TITLES[size], figures)
        figure.supxlabel("requests/s; the dashed line is the bare loop over the same file", fontsize=9)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=150)


def _panel(panel: mpl.axes.Axes, title: str, figures: dict[str, Figures]) -> None:
    rates = [each.rate for each in figures.values()]
    spread = [
        [each.rate - each.lowest for each in figures.values()],
        [each.highest - each.rate for each in figures.values()],
    ]
    colours = [COLOURS.get(name, PEER) for name in figures]
    panel_right = max(each.highest for each in figures.values()) * 1.05
    panel.barh(
        [NAMES[name] for name in figures],
        rates,
        color=colours,
        height=0.7,
        xerr=spread,
        error_kw={"ecolor": LINE, "elinewidth": 1, "capsize": 2},
    )
    for position, each in enumerate(figures.values()):
        panel.text(panel_right * 0.02, position, f"{each.rate:.0f}", color=VALUE, va="center")
    if limit := figures.get("limit"):
        panel.axvline(limit.rate, color=LINE, linewidth=0.8, linestyle="--")
    panel.set_title(title, fontsize=10, loc="left")
    panel.set_xlim(0, panel_right)
    panel.invert_yaxis()
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(axis="y", length=0)
