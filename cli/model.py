"""`frond model`: add any ONNX classifier as a release, list releases, promote one, roll back, remove."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from cli.failure import Failure
from cli.normalisation import NormalisationName, read_normalisation
from preprocess.release import ReleaseError
from preprocess.tensor import Preprocessing
from stack.paths import StatePaths
from stack.state import read_state
from stack.triton import GRPC_CONTROL_HEADER
from training.calibrate import calibrate
from training.card import Provenance
from training.importer import lifecycle
from training.importer.errors import ImporterError
from training.importer.release import Candidate
from training.importer.server import Server
from training.photos import PhotosError
from training.temperature import TemperatureError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stack.state import State
    from training.importer.lifecycle import Listed

app = typer.Typer(no_args_is_help=True, help="Add, list, promote and roll back releases of the classifier.")

Repository = Annotated[
    Path | None, typer.Option(help="the model repository; else the one of the local runtime", show_default=False)
]
Triton = Annotated[
    str | None,
    typer.Option(help="gRPC address of the Triton that serves it, with FROND_TRITON_CONTROL_KEY; else the local one"),
]
Version = Annotated[str, typer.Argument(help="as `frond model list` shows it")]


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="an ONNX classifier: one image in, logits [N, classes] out")],
    labels: Annotated[Path, typer.Option(help="one label a line, or JSON; in the order of the logits")],
    size: Annotated[int, typer.Option(help="height and width of the input in pixels")],
    *,
    calibrate_on: Annotated[
        Path | None, typer.Option("--calibrate", help="photos it has not seen, as DIR/<label>/<photo>", metavar="DIR")
    ] = None,
    crop_fraction: Annotated[float, typer.Option(help="share of the photo's shorter side that is looked at")] = 1.0,
    interpolation: Annotated[Literal["bicubic", "bilinear"], typer.Option(help="for resizing")] = "bicubic",
    normalisation: Annotated[
        NormalisationName | None, typer.Option(help="what a float model expects; imagenet if nothing is said")
    ] = None,
    mean: Annotated[
        str | None, typer.Option(help="instead: three numbers for pixels from 0 to 1, as 0.5,0.5,0.5")
    ] = None,
    std: Annotated[str | None, typer.Option(help="goes with --mean")] = None,
    output: Annotated[str | None, typer.Option(help="the output with the logits, where there are several")] = None,
    background: Annotated[str | None, typer.Option(help="the label of photos without a leaf")] = None,
    version: Annotated[str | None, typer.Option(help="its name; else the next number")] = None,
    repository: Repository = None,
    triton: Triton = None,
) -> None:
    """Make a release of FILE: check it, put normalisation into the graph, calibrate, load. Traffic is not switched."""
    with reported():
        folder, server = _place(repository, triton)
        candidate = Candidate(
            file,
            labels,
            _preprocessing(size, crop_fraction, interpolation),
            read_normalisation(normalisation, mean, std),
            output,
            background,
        )
        added = lifecycle.add(
            folder,
            candidate,
            version=version,
            calibrate=partial(_calibrate, photos=calibrate_on, title=file.stem) if calibrate_on else None,
            server=server,
            report=print,
        )
    if calibrate_on is None:
        print("Not calibrated: temperature 1, calibration error unknown, no thresholds. --calibrate DIR does it.")
    where = "is loaded" if server else "will be loaded when Triton starts (it is not running now)"
    print(f"Release {added} {where}. Send traffic to it: frond model promote {added}")


@app.command("list")
def list_(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
    repository: Repository = None,
    triton: Triton = None,
) -> None:
    """Show every release: what it is, how it is calibrated, whether it is served. Exit status: 1 one is damaged."""
    with reported():
        releases = lifecycle.list_releases(*_place(repository, triton))
    if as_json:
        print(json.dumps([_entry(release) for release in releases], indent=2, ensure_ascii=False))
    else:
        Console(highlight=False).print(_table(releases))
    if any(release.problem for release in releases):
        raise typer.Exit(1)


@app.command()
def promote(version: Version, *, repository: Repository = None, triton: Triton = None) -> None:
    """Send traffic to a release, once it has answered a trial diagnosis."""
    with reported():
        folder, server = _place(repository, triton)
        if server is None:
            raise Failure("Triton is not running, so the release cannot be tried: start it with `frond up` first.")
        switched = lifecycle.promote(folder, version, server)
    print(f"Release {version} has the traffic now." if switched else f"Release {version} has the traffic already.")


@app.command()
def rollback(*, repository: Repository = None, triton: Triton = None) -> None:
    """Send traffic back to the release that had it before."""
    with reported():
        folder, server = _place(repository, triton)
        version = lifecycle.roll_back(folder, server)
    untried = "" if server else " Triton is not running, so it was not tried."
    print(f"Release {version} has the traffic again.{untried}")


@app.command()
def remove(version: Version, *, repository: Repository = None, triton: Triton = None) -> None:
    """Delete a release that has no traffic and is not what a rollback goes back to."""
    with reported():
        folder, server = _place(repository, triton)
        lifecycle.remove(folder, version, server)
    print(f"Release {version} is removed.")


@contextmanager
def reported() -> Iterator[None]:
    """What can go wrong with a release, as the sentence that it is."""
    try:
        yield
    except (ImporterError, ReleaseError, PhotosError, TemperatureError) as error:
        raise Failure(str(error)) from error
    except OSError as error:
        raise Failure(f"{error.filename or 'Writing the release'}: {error.strerror}.") from error


def _place(repository: Path | None, triton: str | None) -> tuple[Path, Server | None]:
    """The repository, and the Triton over it if that is running."""
    paths = StatePaths.default()
    folder = repository or paths.model_repository
    if not folder.is_dir():
        raise Failure(f"There is no model repository at {folder}: run `frond up` once, or name one by --repository.")
    state = read_state(paths)
    is_local = state is not None and folder.resolve() == paths.model_repository.resolve()
    address = triton or (state.triton_grpc if state and is_local else None)
    server = Server(address, _control(state, address)) if address else None
    if triton and server and not server.is_live():
        raise Failure(f"No Triton answers at {triton}.")
    return folder.resolve(), server if server and server.is_live() else None


def _control(state: State | None, address: str) -> dict[str, str]:
    """What a Triton that is not for everyone wants to see: the key of the local one, or one from the environment."""
    if state is not None and address == state.triton_grpc:
        return state.triton_control
    key = os.environ.get("FROND_TRITON_CONTROL_KEY")
    return {GRPC_CONTROL_HEADER: key} if key else {}


def _preprocessing(size: int, crop_fraction: float, interpolation: Literal["bicubic", "bilinear"]) -> Preprocessing:
    try:
        return Preprocessing(size, crop_fraction, interpolation)
    except ValueError as error:
        raise Failure(f"{error}.") from error


def _calibrate(release: Path, photos: Path, title: str) -> None:
    steps: dict[str, TaskID] = {}
    with Progress(console=Console(stderr=True), transient=True) as bars:

        def show(step: str, done: int, total: int) -> None:
            if step not in steps:
                steps[step] = bars.add_task(step)
            bars.update(steps[step], completed=done, total=total)

        command = "frond model add --calibrate"
        card = calibrate(release, photos, provenance=Provenance(title=title), command=command, progress=show)
    measured = card.headline.after
    print(
        f"  temperature {card.temperature}; on these photos: accuracy {measured.accuracy.value:.1%}, "
        f"calibration error {measured.calibration_error.value:.2%}"
    )


def _entry(listed: Listed) -> dict[str, Any]:
    release = listed.release
    return {
        "version": listed.version,
        "model": listed.model,
        "source": listed.source,
        "size": release.preprocessing.size if release else None,
        "classes": len(release.labels) if release else None,
        "temperature": release.calibration.temperature if release else None,
        "calibrationError": release.calibration.calibration_error if release else None,
        "role": listed.role,
        "ready": listed.is_ready,
        "problem": listed.problem,
    }


def _table(releases: list[Listed]) -> Table:
    table = Table("Version", "Made from", "Pixels", "Classes", "Temperature", "ECE", "State", box=None)
    for listed in releases:
        entry = {key: "-" if value is None else str(value) for key, value in _entry(listed).items()}
        table.add_row(
            listed.version,
            listed.source or ("-" if listed.problem else "shipped"),
            *(entry[key] for key in ("size", "classes", "temperature", "calibrationError")),
            _state(listed),
        )
    return table


def _state(listed: Listed) -> str:
    readiness = {True: "ready", False: "not loaded", None: "Triton is down"}[listed.is_ready]
    return ", ".join(filter(None, (listed.role, listed.problem or readiness)))
