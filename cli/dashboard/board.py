"""A dashboard as its file has it: its rows of panels, and what Grafana would put in the place of variables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stack.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

DASHBOARDS = ROOT / "deploy" / "monitoring" / "grafana" / "dashboards"


@dataclass(frozen=True, slots=True)
class Target:
    """A query, and how its series are called."""

    expression: str
    legend: str
    is_histogram: bool

    def filled(self, variables: Mapping[str, str]) -> str:
        """Longer names first: one may begin with another."""
        expression = self.expression
        for name in sorted(variables, key=len, reverse=True):
            expression = expression.replace(f"${name}", variables[name])
        return expression


@dataclass(frozen=True, slots=True)
class Panel:
    """`kind` is Grafana's; of a `row` there is only the title. `width` is in 24ths of the page."""

    kind: str
    title: str
    description: str
    width: int
    unit: str
    decimals: int | None
    is_stacked: bool
    steps: tuple[tuple[float, str], ...]
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """`name` is that of the file."""

    name: str
    title: str
    description: str
    panels: tuple[Panel, ...]


def read_boards() -> dict[str, Board]:
    """By name; the operator's first."""
    found = [read_board(path.stem, json.loads(path.read_text())) for path in sorted(DASHBOARDS.glob("*.json"))]
    return {board.name: board for board in sorted(found, key=lambda board: board.name != "frond-operator")}


def read_board(name: str, content: Any) -> Board:
    panels = tuple(read_panel(each) for each in content["panels"])
    return Board(name, content["title"], content["description"], panels)


def read_panel(content: Any) -> Panel:
    defaults = content.get("fieldConfig", {}).get("defaults", {})
    steps = defaults.get("thresholds", {}).get("steps", ())
    return Panel(
        kind=content["type"],
        title=content["title"],
        description=content.get("description", ""),
        width=content["gridPos"]["w"],
        unit=defaults.get("unit", "short"),
        decimals=defaults.get("decimals"),
        is_stacked=defaults.get("custom", {}).get("stacking", {}).get("mode") == "normal",
        steps=tuple((step["value"], step["color"]) for step in steps if step["value"] is not None),
        targets=tuple(read_target(target) for target in content.get("targets", ())),
    )


def read_target(content: Any) -> Target:
    return Target(content["expr"], content["legendFormat"], content.get("format") == "heatmap")
