"""`frond status`: what each part of the local runtime is doing."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer
from rich.console import Console, JustifyMethod
from rich.table import Table

from cli.connection import console_address
from stack import lock, processes
from stack.errors import StackError
from stack.model_repository import active_model
from stack.paths import StatePaths
from stack.state import PartStatus, State, Status, read_state, read_status

EXIT_CODES = {"ready": 0, "not running": 3}
DEGRADED = 4  # and while it starts or stops


def status(*, as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False) -> None:
    """Show each part. Exit status: 0 everything is ready, 3 not running, 4 something is not ready."""
    paths = StatePaths.default()
    report = describe(paths)
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        _print(report)
        _print_console(paths)
    raise typer.Exit(EXIT_CODES.get(report["state"], DEGRADED))


def describe(paths: StatePaths) -> dict[str, Any]:
    """The stack of this state folder as JSON; memory is the proportional share of all processes of a part."""
    found = read_status(paths)
    if found is None:
        state = "starting" if lock.is_locked(paths.lock) else "not running"
        nothing: dict[str, Any] = {
            "gatewayUrl": None,
            "protocol": None,
            "metricsUrls": [],
            "activeRelease": None,
            "memoryBytes": 0,
            "parts": [],
        }
        return {"state": state, **nothing}
    addresses = read_state(paths)
    parts = [_part(part) for part in found.parts]
    parts.append(_supervisor(found))
    return {
        "state": found.state,
        "gatewayUrl": addresses.gateway_url if addresses else None,
        "protocol": {"http": f"{addresses.gateway_url}/v2", "grpc": addresses.gateway_grpc} if addresses else None,
        "metricsUrls": _metrics_urls(addresses) if addresses else [],
        "activeRelease": _active_release(paths),
        "memoryBytes": sum(part["memoryBytes"] for part in parts),
        "parts": parts,
    }


def _metrics_urls(addresses: State) -> list[str]:
    return [f"http://{address}/metrics" for address in (addresses.gateway_metrics, addresses.triton_metrics)]


def _part(part: PartStatus) -> dict[str, Any]:
    return {
        "name": part.name,
        "state": part.state,
        "pid": part.process_id,
        "restarts": part.restarts,
        "uptimeSeconds": _uptime(part.started_at) if part.process_id else None,
        "memoryBytes": _memory(part.process_id) if part.process_id else 0,
        "address": part.address,
        "note": part.note,
    }


def _supervisor(found: Status) -> dict[str, Any]:
    """Itself and its guardian, without the parts below it."""
    own = [found.supervisor_pid, *(child.pid for child in processes.children(found.supervisor_pid))]
    parts = {part.process_id for part in found.parts}
    return {
        "name": "supervisor",
        "state": "ready",
        "pid": found.supervisor_pid,
        "restarts": 0,
        "uptimeSeconds": _uptime(found.started_at),
        "memoryBytes": sum(processes.memory_bytes(pid) for pid in own if pid not in parts),
        "address": "",
        "note": "",
    }


def _memory(process_id: int) -> int:
    return sum(processes.memory_bytes(process.pid) for process in processes.family(process_id))


def _uptime(started_at: float | None) -> float | None:
    return round(max(0.0, time.time() - started_at), 1) if started_at else None


def _active_release(paths: StatePaths) -> str | None:
    try:
        return active_model(paths.model_repository)[0]
    except (OSError, StackError):
        return None


def _print_console(paths: StatePaths) -> None:
    """In one line, to be copied. Not in the JSON: logs keep that, and programs get a token from `frond token`."""
    if running := read_state(paths):
        Console(highlight=False).print(f"console, for an hour: {console_address(running)}", soft_wrap=True)


def _print(report: dict[str, Any]) -> None:
    console = Console(highlight=False)
    if not report["parts"]:
        console.print(
            f"Frond is {report['state']}." + (" `frond up` starts it." if report["state"] != "starting" else "")
        )
        return
    table = Table(box=None, pad_edge=False)
    for title in ("part", "state", "pid", "restarts", "uptime", "memory", "address"):
        justify: JustifyMethod = "right" if title in {"pid", "restarts", "uptime", "memory"} else "left"
        table.add_column(title, justify=justify, no_wrap=True)
    for part in report["parts"]:
        uptime = f"{part['uptimeSeconds']:.0f} s" if part["uptimeSeconds"] is not None else ""
        memory = f"{part['memoryBytes'] / 2**20:.0f} MiB"
        row = (part["name"], part["state"], str(part["pid"] or ""), str(part["restarts"]), uptime, memory)
        table.add_row(*row, part["address"])
    console.print(table)
    for part in report["parts"]:
        if part["note"]:
            console.print(f"\n{part['name']}: {part['note']}", style="yellow", markup=False)
    if report["protocol"]:
        grpc = report["protocol"]["grpc"] or "not served (FROND_GRPC_PORT)"
        console.print(f"\nOpen Inference Protocol: HTTP {report['protocol']['http']}, gRPC {grpc}", soft_wrap=True)
    if report["metricsUrls"]:
        console.print(f"metrics: {', '.join(report['metricsUrls'])}", soft_wrap=True)
    console.print(
        f"\nFrond is {report['state']}; active release: {report['activeRelease']}; "
        f"memory: {report['memoryBytes'] / 2**20:.0f} MiB"
    )
