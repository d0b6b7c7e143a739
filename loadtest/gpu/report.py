"""A measurement as lines to read: one table of the servings, one of where their time goes."""

from __future__ import annotations

from typing import Any

COLUMNS = ("network", "way in", "served by", "load", "photos/s", "p50 ms", "p99 ms")
STAGES = (  # heading, key of the breakdown
    ("queue", "diagnose_queue_ms"),
    ("decode", "decode_ms"),
    ("infer", "infer_ms"),
    ("answer", "postprocess_ms"),
    ("requests a batch", "diagnose_batch"),
    ("queue of the classifier", "classifier_queue_ms"),
    ("its compute", "classifier_compute_ms"),
    ("photos a batch", "classifier_batch"),
)


def tables(result: dict[str, Any]) -> str:
    """Markdown, for the terminal and for docs/gpu.md."""
    parts = [_agreements(result), _table(COLUMNS, _servings(result))]
    headings = (*COLUMNS[:2], "concurrency", *(heading for heading, _ in STAGES))
    return "\n\n".join([*parts, _table(headings, _breakdowns(result))])


def agrees(result: dict[str, Any]) -> bool:
    """Every network, whichever way in."""
    return all(found["holds"] for network in result["networks"].values() for found in network["agreement"].values())


def _agreements(result: dict[str, Any]) -> str:
    lines = []
    for name, network in result["networks"].items():
        for way, found in network["agreement"].items():
            verdict = "agrees" if found["holds"] else "DIFFERS"
            lines.append(
                f"{name}, {way}: {verdict} with the CPU on {found['compared']} answers: {found['other_label']} other "
                f"labels, probabilities differ by at most {found['difference']:.2g} (margin {found['margin']:.2g})"
            )
    return "\n".join(lines)


def _servings(result: dict[str, Any]) -> list[list[str]]:
    rows = []
    for name, network in result["networks"].items():
        for batch, timing in network["bare"]["tensor"].items():
            rows.append([name, "tensor", "ONNX Runtime", f"batch {batch}", *_figures(timing)])
        for concurrency, found in network["triton"]["tensor"].items():
            rows.append([name, "tensor", "Triton", f"concurrency {concurrency}", *_figures(found)])
        for size, ways in network["bare"]["jpeg"].items():
            for way, timing in ways.items():
                rows.append([name, size, "ONNX Runtime", way, *_figures(timing)])
            for concurrency, found in network["triton"]["jpeg"][size].items():
                rows.append([name, size, "diagnose", f"concurrency {concurrency}", *_figures(found)])
    return rows


def _breakdowns(result: dict[str, Any]) -> list[list[str]]:
    rows = []
    for name, network in result["networks"].items():
        for way, loads in {"tensor": network["triton"]["tensor"], **network["triton"]["jpeg"]}.items():
            for concurrency, found in loads.items():
                values = [found["stages"].get(key) for _, key in STAGES]
                rows.append([name, way, concurrency, *("" if value is None else f"{value:.1f}" for value in values)])
    return rows


def _figures(timing: dict[str, Any]) -> list[str]:
    return [f"{timing['rate']:.0f}", f"{timing['p50_ms']:.1f}", f"{timing['p99_ms']:.1f}"]


def _table(headings: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [list(headings), ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
