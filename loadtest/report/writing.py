"""A run into a folder, as `report.html` and `report.json`, and onto the terminal."""

from __future__ import annotations

import json
import math
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadtest.report.objectives import duration
from loadtest.report.page import html
from loadtest.report.run import rows
from loadtest.report.series import plots

if TYPE_CHECKING:
    from loadtest.report.run import Line, Plot, Row, Run

REPORTS = Path("build/loadtest")


def publish(run: Run, folder: Path) -> int:
    """Into the folder and onto the terminal; the exit status of who ran it."""
    write(run, folder)
    tell(run, folder)
    return run.exit_status


def write(run: Run, folder: Path) -> None:
    """Both files; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.html").write_text(html(run))
    (folder / "report.json").write_text(json.dumps(as_json(run), indent=1, allow_nan=False))


def tell(run: Run, folder: Path) -> None:
    """What it came to, for people at a terminal."""
    print(f"\n{run.title}: {run.what}")
    for row in rows(run):
        print(_told(row))
    print(f"\nJudged: {run.judged_are}." if run.judged_are else "")
    for verdict in run.all_verdicts():
        print(f"  {verdict.objective + ' ' + verdict.wanted:42} {verdict.measured:34} {verdict.mark}")
    print(f"\n{run.conclusion} {folder / 'report.html'}", flush=True)


def _told(row: Row) -> str:
    times = ", ".join(f"p{percent} {duration(value)}" for percent, value in row.percentiles.items())
    errors = f", {sum(row.errors.values()):,} errors" if row.errors else ""
    return f"  {row.kind:28} {row.requests:7,} requests, {row.per_second:6.1f} answers/s, {times}{errors}"


def as_json(run: Run) -> dict[str, Any]:
    """Latencies in seconds; what was not measured is null."""
    return {
        "title": run.title,
        "command": run.command,
        "target": run.target,
        "startedAt": datetime.fromtimestamp(run.started_at, UTC).isoformat(timespec="seconds"),
        "seconds": round(run.seconds, 3),
        "machine": {"cpus": os.cpu_count(), "architecture": platform.machine(), "python": platform.python_version()},
        "cutShort": run.is_cut_short,
        "holds": run.holds,
        "objectives": [asdict(verdict) for verdict in run.all_verdicts()],
        "requests": {
            row.kind: {
                "requests": row.requests,
                "answersPerSecond": round(row.per_second, 2),
                **{f"p{percent}": _number(value) for percent, value in row.percentiles.items()},
                "errors": dict(row.errors),
            }
            for row in rows(run)
        },
        "findings": _plain(run.findings),
        "overTime": {plot.title: _lines(plot) for plot in (*plots(run), run.load, *run.plots)},
    }


def _lines(plot: Plot) -> dict[str, Any]:
    return {"unit": plot.unit, "lines": [_line(line) for line in plot.lines]}


def _line(line: Line) -> dict[str, Any]:
    return {"name": line.name, "at": [_number(at) for at in line.at], "values": [_number(each) for each in line.values]}


def _plain(value: Any) -> Any:
    """Numbers that JSON has none for are null."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return _number(value) if isinstance(value, float) else value


def _number(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None


def until(seconds: float) -> str:
    """For who waits: how long, and when it is over."""
    return f"for {seconds:g} s, until {time.strftime('%H:%M:%S', time.localtime(time.time() + seconds))}"


def folder_of(name: str, named: Path | None) -> Path:
    """The one that was named, or one of this moment: nothing is overwritten."""
    return named or REPORTS / f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
