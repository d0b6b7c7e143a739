"""Grafana's JSON of a panel and of a dashboard, as far as ours differ from one another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
OURS = 'namespace=~"$namespace"'  # of every selector; the namespace is the installation
WIDTH = 24  # Grafana's columns
STAT, PLOT = (4, 4), (8, 8)  # width, height


def query(expression: str, legend: str = "", **options: Any) -> Json:
    return {"datasource": DATASOURCE, "expr": expression, "legendFormat": legend or "__auto", **options}


def plot(
    title: str,
    *queries: Json,
    unit: str = "short",
    description: str = "",
    is_stacked: bool = False,
    limit: float | None = None,
    decimals: int | None = None,
) -> Json:
    """Lines over time. `limit`: drawn as a dashed line, where an alert begins."""
    custom: Json = {"lineWidth": 1, "fillOpacity": 25 if is_stacked else 5, "showPoints": "never", "spanNulls": False}
    custom["stacking"] = {"mode": "normal" if is_stacked else "none", "group": "A"}
    custom["thresholdsStyle"] = {"mode": "off" if limit is None else "dashed"}
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    defaults = {"unit": unit, "min": 0, "custom": custom, "thresholds": thresholds(limit)} | places(decimals)
    return panel("timeseries", title, queries, description=description, defaults=defaults, options=options, size=PLOT)


def stat(
    title: str,
    *queries: Json,
    unit: str = "short",
    description: str = "",
    limit: float | None = None,
    good_from: float | None = None,
    decimals: int | None = None,
) -> Json:
    """One number now, red from `limit` on or below `good_from`."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "none" if limit is None and good_from is None else "value",
        "graphMode": "area",
        "textMode": "auto",
    }
    steps = thresholds(limit) if good_from is None else thresholds(good_from, below="red", above="green")
    defaults = {"unit": unit, "thresholds": steps} | places(decimals)
    return panel("stat", title, queries, description=description, defaults=defaults, options=options, size=STAT)


def bars(title: str, expression: str, *, description: str = "") -> Json:
    """A histogram of the whole range: `format: heatmap` makes counts of single buckets of cumulative ones."""
    asked = query(expression, "{{le}}", format="heatmap", instant=True, range=False)
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "orientation": "vertical",
        "displayMode": "basic",
        "showUnfilled": False,
    }
    defaults = {"unit": "short", "min": 0, "decimals": 0, "thresholds": thresholds(None)}
    return panel("bargauge", title, [asked], description=description, defaults=defaults, options=options, size=PLOT)


def panel(
    kind: str,
    title: str,
    queries: Iterable[Json],
    *,
    description: str,
    defaults: Json,
    options: Json,
    size: tuple[int, int],
) -> Json:
    """What all kinds have in common."""
    targets = [{"refId": chr(ord("A") + index), **each} for index, each in enumerate(queries)]
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "gridPos": {"w": size[0], "h": size[1]},
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
    }


def places(decimals: int | None) -> Json:
    return {} if decimals is None else {"decimals": decimals}


def thresholds(limit: float | None, below: str = "green", above: str = "red") -> Json:
    steps: list[Json] = [{"color": below, "value": None}]
    return {"mode": "absolute", "steps": steps + ([] if limit is None else [{"color": above, "value": limit}])}


def dashboard(uid: str, title: str, description: str, rows: dict[str, list[Json]]) -> Json:
    """Rows of panels; each row's panels flow from the left, those of one line are equally high."""
    placed: list[Json] = []
    top = 0
    for name, panels in rows.items():
        placed.append({"type": "row", "title": name, "collapsed": False, "gridPos": at(0, top, WIDTH, 1), "panels": []})
        top, left, height = top + 1, 0, 0
        for each in panels:
            size = each["gridPos"]
            if left + size["w"] > WIDTH:
                top, left, height = top + height, 0, 0
            placed.append({**each, "gridPos": at(left, top, size["w"], size["h"])})
            left, height = left + size["w"], max(height, size["h"])
        top += height
    return {
        "uid": uid,
        "title": f"Frond / {title}",
        "description": description,
        "tags": ["frond"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,  # one moment in all panels
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "links": [{"type": "dashboards", "title": "Frond", "tags": ["frond"], "asDropdown": True, "keepTime": True}],
        "templating": {"list": [datasource_variable(), namespace_variable()]},
        "annotations": {"list": []},
        "panels": [{"id": number, **each} for number, each in enumerate(placed, 1)],
    }


def at(left: int, top: int, width: int, height: int) -> Json:
    return {"x": left, "y": top, "w": width, "h": height}


def datasource_variable() -> Json:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus", "current": {}}


def namespace_variable() -> Json:
    """Where nothing has a namespace, `.*` fits, too."""
    return {
        "name": "namespace",
        "type": "query",
        "label": "Namespace",
        "datasource": DATASOURCE,
        "query": {"query": "label_values(frond_gateway_build_info, namespace)", "refId": "namespace"},
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }
