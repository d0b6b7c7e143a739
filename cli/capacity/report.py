"""A plan as a table in the terminal, and as JSON; both say where each figure is from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cli.capacity.measured import Measurements
    from cli.capacity.plan import Database, Gpu, Load, Plan

GIBIBYTE = 2**30
MEASURED_ROWS = 10_000_000  # docs/capacity.md
GPUS = "GPUs"


def as_json(load: Load, measured: Measurements, gpu: Gpu | None, plan: Plan) -> dict[str, Any]:
    return {
        "rate": load.rate,
        "megapixels": load.megapixels,
        "photos": load.photos,
        "targetP95Seconds": load.target_seconds,
        "predictedSeconds": {"p50": plan.p50, "p95": plan.p95, "p99": plan.p99},
        "needed": {
            each.name: {
                "needed": each.servers, "spare": load.spare, "utilisation": each.utilisation,
                "basis": basis(each.name, gpu),
            }
            for each in plan.stations
        },
        "database": {
            "rows": plan.database.rows,
            "tableBytes": plan.database.table_bytes,
            "indexBytes": plan.database.index_bytes,
            "walBytesPerSecond": plan.database.wal_bytes_per_second,
            "flushesPerSecond": plan.database.flushes_per_second,
            "pagesWrittenPerSecond": plan.database.pages_written_per_second,
        },
        "gatewayMemoryBytes": plan.gateway_memory_bytes,
        "tritonMemoryBytes": plan.triton_memory_bytes,
        "networkBitsPerSecond": plan.network_bits_per_second,
        "measuredOn": measured.machine,
        "notes": notes(load, measured, gpu),
    }  # fmt: skip


def basis(name: str, gpu: Gpu | None) -> str:
    return f"given: {gpu.per_second:g} photos/s each" if gpu and name == GPUS else "measured"


def table(load: Load, measured: Measurements, gpu: Gpu | None, plan: Plan) -> RenderableType:
    head = (
        f"{load.rate:g} requests/s, {load.photos} × {load.megapixels:g} MP; 95 % within {load.target_seconds:g} s\n"
        f"predicted: p50 {seconds(plan.p50)}, p95 {seconds(plan.p95)}, p99 {seconds(plan.p99)}\n"
    )
    return Group(head, _stations(load, gpu, plan), "", _rest(plan), "", *notes(load, measured, gpu))


def _stations(load: Load, gpu: Gpu | None, plan: Plan) -> Table:
    found = _grid("", "needed", "with spare", "busy at the peak", "from")
    for each in plan.stations:
        figures = (str(each.servers), str(each.servers + load.spare), f"{each.utilisation:.0%}")
        found.add_row(each.name, *figures, basis(each.name, gpu))
    if not gpu:
        found.add_row(GPUS, "none", "", "", "not given")
    return found


def _rest(plan: Plan) -> Table:
    database = plan.database
    found = _grid("", "needed", "")
    found.add_row("database: rows", f"{database.rows:,.0f}", "kept for 24 hours")
    found.add_row(
        "database: table", f"{database.table_bytes / GIBIBYTE:,.1f} GiB", "four answers a page; dead rows come on top"
    )
    found.add_row("database: indexes", f"{database.index_bytes / GIBIBYTE:,.1f} GiB", "should fit into its memory")
    found.add_row("database: log", f"{database.wal_bytes_per_second / 1e6:,.1f} MB/s", "WAL")
    found.add_row(
        "database: writes", f"{_operations(database):,.0f}/s", "flushes of the log and pages of 8 KiB, at most"
    )
    found.add_row("memory of a Triton server", f"{plan.triton_memory_bytes / GIBIBYTE:,.2f} GiB", "and shared memory")
    found.add_row(
        "memory of a gateway", f"{plan.gateway_memory_bytes / GIBIBYTE:,.2f} GiB", "photos in flight included"
    )
    found.add_row(
        "network", f"{plan.network_bits_per_second / 1e9:,.2f} Gbit/s", "to the gateways; as much again to Triton"
    )
    return found


def _operations(database: Database) -> float:
    return database.flushes_per_second + database.pages_written_per_second


def notes(load: Load, measured: Measurements, gpu: Gpu | None) -> list[str]:
    """What the figures rest on."""
    sizes = [request.megapixels for request in measured.requests]
    found = [f"Measured on: {measured.machine} ({measured.command}); {measured.network}. Another machine: --measured."]
    if gpu:
        found.append("The GPU's figure is yours, not measured by Frond; its batches are taken for full ones.")
    else:
        found.append(
            "No GPU is assumed: the classifier runs on CPU cores. --gpu-requests-per-second takes your GPU's figure."
        )
    if not min(sizes) * 0.99 <= load.megapixels <= max(sizes) * 1.01:
        found.append(f"{load.megapixels:g} MP is beyond what was measured, {min(sizes):g} to {max(sizes):g} MP.")
    if load.daily_requests > MEASURED_ROWS:
        found.append("More rows than the 10 million that the table was measured with: see docs/capacity.md.")
    return found


def seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def _grid(*titles: str) -> Table:
    found = Table(box=None, pad_edge=False)
    for title in titles:
        found.add_column(title, justify="right" if title in {"needed", "with spare", "busy at the peak"} else "left")
    return found
