"""`frond up` and `frond down`: the local runtime in the foreground or in the background."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from cli.connection import console_address
from cli.progress import Progress
from stack import control, runtime
from stack.paths import StatePaths
from stack.ports import DEFAULT_PORT

if TYPE_CHECKING:
    from stack.state import State


def up(
    *,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="return when everything is ready")] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, envvar="FROND_PORT", help="the gateway's; 0 picks a free one")
    ] = DEFAULT_PORT,
) -> None:
    """Start PostgreSQL, Triton and the gateway, and serve until Ctrl-C. Exit status: 1 failed, 2 the port is taken."""
    began = time.monotonic()
    with Progress() as progress:
        if detach:
            state = control.start_detached(StatePaths.default(), port, progress.update)
            progress.finish()
            announce(progress, state, time.monotonic() - began, "`frond down` stops it.")
            return

        def on_ready(state: State) -> bool:
            progress.finish()
            announce(progress, state, time.monotonic() - began, "Ctrl-C stops it.")
            return True

        runtime.run(StatePaths.default(), port, progress.update, on_ready)


def announce(progress: Progress, state: State, seconds: float, how_to_stop: str) -> None:
    """Where everything is."""
    progress.say(f"\nReady after {seconds:.1f} s. {how_to_stop}")
    progress.say(f"  console         {console_address(state)}")
    progress.say(f"  gateway         {state.gateway_url}/v1/ai-inference")
    protocol = f"gRPC {state.gateway_grpc}, " if state.gateway_grpc else ""
    progress.say(f"  protocol        {protocol}HTTP {state.gateway_url}/v2")
    progress.say(f"  documentation   {state.gateway_url}/docs")
    progress.say(f"  Triton          gRPC {state.triton_grpc}, HTTP {state.triton_http}")
    progress.say(f"  metrics         http://{state.gateway_metrics}/metrics, http://{state.triton_metrics}/metrics")
    if state.otlp_endpoint:
        progress.say(f"  traces          to {state.otlp_endpoint}; `frond trace` shows one")
    progress.say(f"  logs            {StatePaths.default().logs}")


def down() -> None:
    """Stop what runs here and wait until it is gone. Nothing running is no error."""
    was_running = control.stop(StatePaths.default())
    print("Stopped." if was_running else "Frond is not running here.")
