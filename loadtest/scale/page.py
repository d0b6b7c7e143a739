"""The measurements as tables of docs/capacity.md."""

from __future__ import annotations

from typing import Any

from loadtest.markdown import table
from loadtest.scale.shape import Shape
from loadtest.scale.spending import CLASSIFIER, CLIENT, DATABASE, DECODING, GATEWAY, TRITON

NAMES = {
    GATEWAY: "gateway",
    DATABASE: "PostgreSQL",
    TRITON: "tritonserver",
    DECODING: "`diagnose`",
    CLASSIFIER: "classifier",
    CLIENT: "load generator",
}


def shapes(found: list[dict[str, Any]]) -> str:
    head = ["`diagnose`", "classifiers", "gateways", "cores", "photo", "requests/s", "p50 ms", "p99 ms"]
    head += ["CPU ms a request, servers", "busy cores, servers"]
    rows = []
    for each in found:
        servers = sum(value for kind, value in each["cpu_seconds"].items() if kind != CLIENT)
        figures = [
            f"{each['rate']:.1f}", f"{each['p50'] * 1000:.0f}", f"{each['p99'] * 1000:.0f}", f"{servers * 1000:.1f}",
            f"{servers * each['rate']:.2f}",
        ]  # fmt: skip
        rows.append([*Shape(**each["shape"]).title.split(" | "), each["size"], *figures])
    return table(head, rows)


def requests(found: list[dict[str, Any]]) -> str:
    """CPU time by kind of process, and what share of the servers' it is."""
    head = ["photo", *NAMES.values(), "all servers", "alone: answer time ms", "not CPU ms"]
    rows = []
    for each in found:
        spent = each["cpu_seconds"]
        servers = sum(value for kind, value in spent.items() if kind != CLIENT)
        cells = [
            f"{spent[kind] * 1000:.1f}" + ("" if kind == CLIENT else f" ({spent[kind] / servers:.0%})")
            for kind in NAMES
        ]
        beyond = each["alone_seconds"] - each["alone_cpu_seconds"]
        alone = [f"{each['alone_seconds'] * 1000:.1f}", f"{max(0.0, beyond) * 1000:.1f}"]
        rows.append([each["size"], *cells, f"{servers * 1000:.1f}", *alone])
    return table(head, rows)


def opens(found: list[dict[str, Any]]) -> str:
    head = [
        "photo",
        "load",
        "requests/s",
        "p50 predicted",
        "measured",
        "error",
        "p95 predicted",
        "measured",
        "error",
        "refused",
    ]
    rows = []
    for each in found:
        cells = []
        for name in ("p50", "p95"):
            predicted, measured = each[f"predicted_{name}"], each[f"measured_{name}"]
            cells += [f"{predicted * 1000:.0f} ms", f"{measured * 1000:.0f} ms", error(predicted, measured)]
        rows.append([each["size"], f"{each['load']:.0%}", f"{each['rate']:.1f}", *cells, f"{each['refused']:.1%}"])
    return table(head, rows)


def closes(found: list[dict[str, Any]]) -> str:
    head = ["photo", "callers", "requests/s predicted", "measured", "error"]
    return table(
        head,
        [
            [each["size"], str(each["callers"]), f"{each['predicted']:.1f}", f"{each['measured']:.1f}",
             error(each["predicted"], each["measured"])]
            for each in found
        ],
    )  # fmt: skip


def error(predicted: float, measured: float) -> str:
    return f"{predicted / measured - 1:+.0%}"
