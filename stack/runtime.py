"""The local runtime as a whole: a state folder made ready, and its parts under a supervisor until they shall stop."""

from __future__ import annotations

import asyncio
import logging
import os

from stack import guardian, keys, leftovers, lock, logs, model_repository, traces, triton
from stack.children import Children
from stack.database import DatabasePart
from stack.errors import PortTakenError, StackError
from stack.inference import TritonPart
from stack.listeners import listener
from stack.paths import ROOT, StatePaths
from stack.ports import free_ports, is_free
from stack.service import GatewayPart
from stack.state import State
from stack.supervisor import OnReady, OnStatus, Supervisor

PARTS = ("postgres", "triton", "gateway")
FOLDER_MODE = 0o755  # every secret in it has a mode of its own; PostgreSQL's user passes through

logger = logging.getLogger(__name__)


def run(paths: StatePaths, port: int, on_status: OnStatus, on_ready: OnReady) -> None:
    """Serve from this state folder until a signal, or until `on_ready` returns False; port 0 picks a free one.

    Call it in the main thread of a process that has no children of its own. Raises StackError.
    """
    try:
        descriptor = _claim(paths)
    except OSError as error:
        raise unusable_folder(paths, error) from error
    try:
        _serve(paths, port, on_status, on_ready)
    except OSError as error:
        raise unusable_folder(paths, error) from error
    finally:
        paths.status.unlink(missing_ok=True)
        os.close(descriptor)


def unusable_folder(paths: StatePaths, error: OSError) -> StackError:
    """What a read-only folder or a full disk comes to."""
    return StackError(
        f"{error.filename or paths.root}: {error.strerror}. FROND_STATE_DIR names another folder for the state."
    )


def _claim(paths: StatePaths) -> int:
    """Take the lock; its descriptor."""
    _refuse_folder_of_another(paths)
    for folder in (paths.root, paths.logs, paths.storage):
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    return lock.acquire(paths.lock)


def _refuse_folder_of_another(paths: StatePaths) -> None:
    """Before anything is written: root's files in a user's folder would lock that user out of it."""
    if not paths.root.exists() or (owner := paths.root.stat().st_uid) == os.geteuid():
        return
    raise StackError(
        f"{paths.root} belongs to user {owner}, and this is user {os.geteuid()}. Start Frond as that user, or name"
        f" another folder in FROND_STATE_DIR; `chown -R {os.geteuid()} {paths.root}` as root would hand it over."
    )


def _serve(paths: StatePaths, port: int, on_status: OnStatus, on_ready: OnReady) -> None:
    paths.state.unlink(missing_ok=True)
    found = leftovers.end(paths)
    guardian_pid = guardian.fork_guardian(paths)
    _begin_logs(paths)
    if found:
        logger.warning("ended %d processes that a killed supervisor had left", len(found))
    port = gateway_port(port)
    keys.prepare(paths)
    replaced = model_repository.synchronise(ROOT / "model_repository", paths.model_repository)
    logger.info("models brought up to date: %s", ", ".join(replaced) or "none had changed")
    triton.prepare_backends(paths.backends)
    asyncio.run(local_stack(paths, port, Children(guardian_pid), on_status).run(on_ready))


def local_stack(paths: StatePaths, port: int, children: Children, on_status: OnStatus) -> Supervisor:
    """PostgreSQL, Triton and the gateway, joined by their addresses."""
    database_port, metrics_port = free_ports(2)
    addresses = triton.Addresses.pick()
    password = keys.secret(paths, "gateway-database-password")
    database = DatabasePart(paths.postgres, database_port, paths.log("postgres"), children, password)
    gateway = GatewayPart(paths, port, metrics_port, database.database_url, addresses.grpc)
    otlp_endpoint = os.environ.get("FROND_OTLP_ENDPOINT")
    traces_url = traces.url_below(otlp_endpoint) if otlp_endpoint else None
    state = State(
        supervisor_pid=os.getpid(),
        gateway_url=gateway.url,
        gateway_metrics=gateway.metrics,
        triton_grpc=addresses.grpc,
        triton_http=addresses.http,
        triton_metrics=addresses.metrics,
        database_url=database.database_url,
        triton_control=addresses.grpc_control,
        gateway_grpc=gateway.grpc,
        otlp_endpoint=otlp_endpoint,
    )
    parts = (database, TritonPart(paths, addresses, traces_url=traces_url), gateway)
    return Supervisor(paths, state, parts, children, on_status)


def gateway_port(wanted: int) -> int:
    """The port if it is free, or any free one for 0; raises PortTakenError, which names who has it."""
    if wanted == 0:
        return free_ports(1)[0]
    if not is_free(wanted):
        holder = listener(wanted)
        who = f"{holder.name} (process {holder.pid})" if holder else "another process"
        raise PortTakenError(
            f"Port {wanted} is taken by {who}. Name another with --port or FROND_PORT; --port 0 picks a free one."
        )
    return wanted


def _begin_logs(paths: StatePaths) -> None:
    for name in ("supervisor", *PARTS):
        logs.begin(paths.log(name))
    handler = logging.FileHandler(paths.log("supervisor"))
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger("stack")
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    root.propagate = False
