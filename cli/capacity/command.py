"""`frond capacity`: how much of everything a load needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cli.capacity import measured, plan, report
from cli.failure import Failure

NETWORK = "efficientnet-lite0"


def capacity(
    rate: Annotated[float, typer.Option(min=0.001, max=1e6, help="requests a second at the peak")],
    *,
    megapixels: Annotated[float, typer.Option(min=0.01, max=50, help="of a photo")] = 12.0,
    photos: Annotated[int, typer.Option(min=1, max=8, help="of a request")] = 1,
    p95: Annotated[float, typer.Option(min=0.001, max=60, help="seconds in which 95 % are answered")] = 5.0,
    daily: Annotated[
        float | None, typer.Option(min=1, help="requests in 24 hours; unless given, the peak all day long")
    ] = None,
    gpu_requests_per_second: Annotated[
        float | None,
        typer.Option(
            min=0.1, max=1e6, help="photos that one GPU of yours classifies a second (`make bench-gpu`); none: CPUs do"
        ),
    ] = None,
    gpu_bench: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="the same from `make bench-gpu`'s file")
    ] = None,
    network: Annotated[str | None, typer.Option(help=f"which network of that file; {NETWORK}")] = None,
    gpu_batch: Annotated[int, typer.Option(min=1, max=64, help="the classifier's largest batch")] = 64,
    utilisation: Annotated[float, typer.Option(min=0.05, max=0.95, help="of anything at the peak, at most")] = 0.7,
    spare: Annotated[int, typer.Option(min=0, max=100, help="of each, beyond what is needed")] = 1,
    measured_file: Annotated[
        Path,
        typer.Option("--measured", exists=True, dir_okay=False, help="what a request costs on yours (`make scale`)"),
    ] = measured.SHIPPED,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """Say how many gateways, cores, GPUs, and what database a load needs, and which figures that rests on."""
    if gpu_requests_per_second and gpu_bench:
        raise Failure("--gpu-requests-per-second and --gpu-bench are two answers to one question.", 2)
    if network and not gpu_bench:
        raise Failure("--network says which one of the file that --gpu-bench names.", 2)
    if daily and daily > rate * plan.DAY_SECONDS:
        raise Failure(f"--daily is more than --rate brings in 24 hours: {rate * plan.DAY_SECONDS:,.0f}.", 2)
    per_second = of_bench(gpu_bench, network or NETWORK) if gpu_bench else gpu_requests_per_second
    load = plan.Load(rate, daily or rate * plan.DAY_SECONDS, megapixels, photos, p95, 0.95, utilisation, spare)
    figures = measured.read(measured_file)
    gpu = plan.Gpu(per_second, gpu_batch) if per_second else None
    try:
        found = plan.plan(load, figures, gpu)
    except plan.ImpossibleError as error:
        raise Failure(f"95 % within {p95:g} s cannot be had: {error}") from None
    if as_json:
        print(json.dumps(report.as_json(load, figures, gpu, found), indent=2))
    else:
        Console(highlight=False).print(report.table(load, figures, gpu, found))


def of_bench(path: Path, network: str) -> float:
    """The most photos a second that Triton classified there, tensors in. Raises `Failure`."""
    try:
        content: Any = json.loads(measured.contents(path))
        if content["provider"] == "cpu":
            raise Failure(f"{path} was measured with --provider cpu: it says nothing of a GPU.")
        return max(float(found["rate"]) for found in content["networks"][network]["triton"]["tensor"].values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Failure(f"{path} holds no figures of {network} by `make bench-gpu`.") from error
