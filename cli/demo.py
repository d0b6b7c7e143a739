"""`frond demo`: start everything, diagnose one photo, say where everything is, and serve until Ctrl-C."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.connection import LOCAL_USER, Connection, local_token, read_photo
from cli.diagnose import ask
from cli.failure import Failure
from cli.progress import Progress
from cli.rendering import render
from cli.runtime import announce
from cli.sample import draw_sample
from frond.types import DiagnosisResponse
from stack import runtime
from stack.errors import StackError
from stack.paths import StatePaths
from stack.ports import DEFAULT_PORT, is_free
from stack.state import State, read_state

REQUEST: dict[str, object] = {"assessmentId": "demo", "plantContext": {"id": "demo"}, "client": {"platform": "cli"}}


def demo(
    photo: Annotated[Path | None, typer.Argument(help="a leaf photo; else a sample drawn by code")] = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="stop after the diagnosis")] = False,
    port: Annotated[int | None, typer.Option(min=0, max=65535, envvar="FROND_PORT", help="the gateway's")] = None,
) -> None:
    """Diagnose a photo with everything that Frond is made of. Exit status: 0 a diagnosis, 1 none."""
    began = time.monotonic()
    name, content = (photo.name, read_photo(photo)) if photo else ("drawn sample", draw_sample())
    answered = False

    def show(state: State, how_to_stop: str) -> None:
        nonlocal answered
        answered = _show(state, name, content)
        if not once:  # else the addresses would be nobody's a moment later
            announce(progress, state, time.monotonic() - began, how_to_stop)

    def on_ready(state: State) -> bool:
        progress.finish()
        show(state, "Ctrl-C stops it.")
        return not once

    with Progress() as progress:
        paths = StatePaths.default()
        if running := read_state(paths):
            progress.say("Frond is running here already.")
            show(running, "`frond down` stops it.")
        else:
            runtime.run(paths, _port(port, progress), progress.update, on_ready)
    if not answered:
        raise typer.Exit(1)


def _port(wanted: int | None, progress: Progress) -> int:
    """The port that was asked for; otherwise the usual one, or any that is free."""
    if wanted is not None or is_free(DEFAULT_PORT):
        return DEFAULT_PORT if wanted is None else wanted
    progress.say(f"Port {DEFAULT_PORT} is taken, so the gateway gets another; FROND_PORT names one.")
    return 0


def _show(state: State, name: str, photo: bytes) -> bool:
    """Print the diagnosis; whether there was one."""
    console = Console(highlight=False)
    try:
        answer = ask(Connection(state.gateway_url, local_token(LOCAL_USER)), REQUEST, [(name, photo)], uuid.uuid4())
    except (Failure, StackError) as error:
        console.print(f"\n{error}", style="red")
        return False
    response = DiagnosisResponse.model_validate(answer)
    console.print(f"\n[bold]{name}[/bold], {len(photo) // 1024} KiB\n")
    console.print(render(response, [name]))
    return response.success
