"""The measurements as tables of docs/capacity.md."""

from __future__ import annotations

from typing import Any

from loadtest.markdown import table

GIBIBYTE = 2**30
SERIES = ("claim", "complete", "replay")

Results = dict[str, dict[str, Any]]


def tables(results: Results) -> dict[str, str]:
    """By the names of their marks."""
    return {"growth": _statements(results), "growth-cleanup": _cleanup(results)}


def _statements(results: Results) -> str:
    head = ["rows", "table", "indexes", "claim p50 / p99", "completion", "replay"]
    head += ["completions on their page", "pages written a request", "log a request"]
    rows = []
    for title, found in results.items():
        sizes, written = found["sizes"], found["written"]
        times = [_times(found["statements"][name]) for name in SERIES]
        rows.append(
            [
                *(_title(title), f"{sizes['heap'] / GIBIBYTE:.2f} GiB", f"{sizes['indexes'] / GIBIBYTE:.2f} GiB"),
                *times,
                f"{found['completed_on_their_page']:.0%}",
                f"{written['pages']:.1f}",
                f"{written['wal_bytes'] / 1000:.1f} kB",
            ]
        )
    return table(head, rows)


def _cleanup(results: Results) -> str:
    head = ["rows", "deleted rows/s", "a batch of 500, first → last", "claim p99 beside it", "completion p99"]
    head += ["vacuum", "free room after it", "below an open snapshot: rows/s", "first → last"]
    rows = []
    for title, found in results.items():
        clean, below, left = found["cleanup"], found["cleanup_below_snapshot"], found["left"]
        beside = [f"{clean['beside'][name]['p99']:.1f} ms" for name in ("claim", "complete")]
        rows.append(
            [
                *(_title(title), f"{clean['rows_per_second']:,.0f}", _batches(clean), *beside),
                f"{left['vacuum_seconds']:.1f} s",
                f"{left['after_vacuum']['free_percent']:.0f} %",
                f"{below['rows_per_second']:,.0f}",
                _batches(below),
            ]
        )
    return table(head, rows)


def _title(title: str) -> str:
    rows, _, settings = title.partition(" ")
    return f"{int(rows):,}" + (f" ({settings})" if settings else "")


def _times(found: dict[str, float]) -> str:
    return f"{found['p50']:.1f} / {found['p99']:.1f} ms"


def _batches(found: dict[str, Any]) -> str:
    first, last = found["batch_ms"]
    return f"{first:.0f} → {last:.0f} ms"
