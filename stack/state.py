"""What the supervisor tells others in files: the addresses while it is up, and what each part is doing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from stack.atomic import write_atomically
from stack.errors import StackError
from stack.lock import is_locked

if TYPE_CHECKING:
    from pathlib import Path

    from stack.paths import StatePaths

PartState = Literal["waiting", "starting", "ready", "unready", "restarting", "stopping", "stopped"]
StackState = Literal["starting", "ready", "degraded", "stopping", "not running"]


@dataclass(frozen=True, slots=True)
class State:
    """The addresses of a running stack: URLs, and host:port. `database_url` is the gateway's own login.

    `triton_control` is the gRPC metadata of those who may change Triton. `gateway_grpc`: None where it is not served.
    `otlp_endpoint`: of the collector that gets the traces.
    """

    supervisor_pid: int
    gateway_url: str
    gateway_metrics: str
    triton_grpc: str
    triton_http: str
    triton_metrics: str
    database_url: str
    triton_control: dict[str, str] = field(default_factory=dict, repr=False)
    gateway_grpc: str | None = None
    otlp_endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One part as the supervisor sees it; times are seconds since the epoch."""

    name: str
    address: str
    state: PartState = "waiting"
    process_id: int | None = None
    restarts: int = 0
    started_at: float | None = None
    ready_after_seconds: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """The whole stack: `was_ready` tells a start from a disturbance."""

    supervisor_pid: int
    started_at: float
    was_ready: bool
    parts: tuple[PartStatus, ...]

    @property
    def state(self) -> StackState:
        if any(part.state in {"stopping", "stopped"} for part in self.parts):
            return "stopping"
        if all(part.state == "ready" for part in self.parts):
            return "ready"
        return "degraded" if self.was_ready else "starting"


def write_state(paths: StatePaths, state: State) -> None:
    write_atomically(paths.state, json.dumps(asdict(state), indent=2).encode())


def write_status(paths: StatePaths, status: Status) -> None:
    write_atomically(paths.status, json.dumps(asdict(status)).encode())


def read_state(paths: StatePaths) -> State | None:
    """The addresses of the stack that is up here; None when none is, whatever a killed one left in the file."""
    content = _read_object(paths.state) if is_locked(paths.lock) else None
    if content is None:
        return None
    try:
        return State(**content)
    except TypeError as error:
        raise _damaged(paths.state) from error


def read_status(paths: StatePaths) -> Status | None:
    """What the parts of the running supervisor do; None when none runs."""
    content = _read_object(paths.status) if is_locked(paths.lock) else None
    if content is None:
        return None
    try:
        parts = tuple(PartStatus(**part) for part in content.pop("parts"))
        return Status(parts=parts, **content)
    except (KeyError, TypeError) as error:
        raise _damaged(paths.status) from error


def _read_object(path: Path) -> dict[str, Any] | None:
    """None: it is not there, or not any more; a supervisor that stops removes it at any moment."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise _damaged(path) from error
    if not isinstance(content, dict):
        raise _damaged(path)
    return content


def _damaged(path: Path) -> StackError:
    return StackError(f"{path} is damaged. `frond down` and `frond up` write it anew.")
