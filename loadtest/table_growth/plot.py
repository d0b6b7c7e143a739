"""Times of the statements over the number of rows, as a picture of docs/capacity.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from loadtest.table_growth.page import Results

COLOURS = {"claim": "#2f8f5b", "complete": "#c07a2c", "replay": "#3d6ea5"}
# The same run gives the same file; and text as text, which is lighter and can be searched.
STYLE: Any = {"svg.hashsalt": "frond", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}


def draw(results: Results, path: Path) -> None:
    """SVG or PNG by the path's ending."""
    plain = {int(title): found for title, found in results.items() if title.isdigit()}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7, 3), layout="constrained")
        panel = figure.subplots()
        for name, colour in COLOURS.items():
            for share, line in (("p50", "-"), ("p99", ":")):
                taken = [found["statements"][name][share] for found in plain.values()]
                panel.plot(list(plain), taken, line, color=colour, marker="o", markersize=3, label=f"{name} {share}")
        panel.set(xscale="log", xlabel="rows", ylabel="ms")
        panel.set_ylim(bottom=0)
        panel.grid(visible=True, which="major", alpha=0.3)
        figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=150)
