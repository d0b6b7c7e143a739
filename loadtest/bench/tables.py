"""Results as tables, in Markdown that is also read on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.bench.photos import TITLES

if TYPE_CHECKING:
    from loadtest.bench.figures import Figures
    from loadtest.bench.measurement import Results

NAMES = {
    "limit": "bare loop, no server",
    "limit-readied": "bare loop, graph readied as Frond's",
    "fastapi": "FastAPI + ONNX Runtime",
    "fastapi-tuned": "FastAPI, photo and graph as Frond's",
    "litserve": "LitServe",
    "bentoml": "BentoML",
    "triton": "Triton, plain BLS",
    "diagnose": "Frond's `diagnose` directly",
    "frond": "**Frond through the gateway**",
}


def throughput(results: Results) -> str:
    """Requests/s: median, lowest and highest round, and the share of the limit where that was measured."""
    rows = [
        [NAMES[name], *(_rate(figures[name], figures.get("limit")) for figures in results.values())]
        for name in _targets(results)
    ]
    return _table(["requests/s", *(TITLES[size] for size in results)], rows)


def latency(results: Results) -> str:
    """Milliseconds."""
    rows = [[NAMES[name], *(_latencies(figures[name]) for figures in results.values())] for name in _targets(results)]
    return _table(["ms: p50 / p95 / p99, alone", *(TITLES[size] for size in results)], rows)


def rates(results: Results) -> dict[str, dict[str, float]]:
    """The medians alone, for the last line."""
    return {size: {name: round(each.rate, 1) for name, each in figures.items()} for size, figures in results.items()}


def _targets(results: Results) -> list[str]:
    return list(next(iter(results.values())))


def _rate(figures: Figures, limit: Figures | None) -> str:
    share = "" if limit is None else f" · {figures.rate / limit.rate:.0%}"
    return f"{figures.rate:.1f} ({figures.lowest:.1f}–{figures.highest:.1f}){share}"


def _latencies(figures: Figures) -> str:
    under_load = " / ".join(f"{value:.0f}" for value in (figures.p50_ms, figures.p95_ms, figures.p99_ms))
    return f"{under_load}, {figures.alone_p50_ms:.1f}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |" for line in lines
    )
