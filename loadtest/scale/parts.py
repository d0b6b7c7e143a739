"""The measurements: shapes of the stack, what a request costs, the model's predictions beside what happened."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from cli.capacity import queueing
from cli.capacity.measured import CpuSeconds, Request
from loadtest.gpu.timing import percentile
from loadtest.scale import spending
from loadtest.scale.load import Callers, Observed, closed, opened
from loadtest.scale.shape import Shape, shaped

if TYPE_CHECKING:
    from collections.abc import Callable

    from stack.paths import StatePaths
    from stack.state import State

MEGAPIXELS = {"256px": 0.065536, "1mp": 0.995328, "12mp": 12.0}
CHECKED = ("256px", "12mp")
BUSY = 4  # callers that keep two cores busy without a queue worth the name
CONCURRENCY = 8
LOADS = (0.3, 0.5, 0.7, 0.85)  # of what the cores can do
CLOSED = (1, 2, 4, 8, 16)


@dataclass(frozen=True, slots=True)
class Bench:
    """The stack that is measured, and for how long each figure."""

    paths: StatePaths
    state: State
    seconds: float
    cores: int
    say: Callable[[str], None]


def shapes(cores: int) -> list[Shape]:
    """One thing at a time; as many cores as there are, and one."""
    base = Shape(cores=cores)
    return [
        base,
        replace(base, diagnose=1),
        replace(base, diagnose=4),
        replace(base, classifier=1),
        replace(base, classifier=3),
        replace(base, gateways=2),
        *([replace(base, cores=1)] if cores > 1 else []),
    ]


async def measure_shapes(bench: Bench) -> list[dict[str, Any]]:
    found = []
    for shape in shapes(bench.cores):
        async with shaped(bench.paths, bench.state, shape) as addresses:
            for size in CHECKED:
                callers = Callers(addresses, size)
                seen = await closed(callers.ask, bench.state.supervisor_pid, CONCURRENCY, bench.seconds)
                callers.close()
                found.append({"shape": asdict(shape), "size": size, **figures(seen)})
                refused = f", {seen.refused:.1%} refused" if seen.refused else ""
                bench.say(f"{shape.title} {size}: {seen.rate:.1f}/s{refused}")
    return found


async def measure_requests(bench: Bench) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """One photo of each size, alone and with all cores busy; and the memory of each process after it."""
    found = []
    async with shaped(bench.paths, bench.state, Shape(cores=bench.cores)) as addresses:
        for size, megapixels in MEGAPIXELS.items():
            callers = Callers(addresses, size)
            alone = await closed(callers.ask, bench.state.supervisor_pid, 1, bench.seconds)
            busy = await closed(callers.ask, bench.state.supervisor_pid, BUSY * bench.cores // 2, 2 * bench.seconds)
            callers.close()
            mean = statistics.fmean(alone.latencies)
            found.append(
                {
                    "size": size,
                    "megapixels": megapixels,
                    "photo_bytes": callers.photo_bytes,
                    "cpu_seconds": busy.cpu_seconds,
                    "alone_seconds": mean,
                    "alone_variance": statistics.pvariance(alone.latencies),
                    "alone_cpu_seconds": sum(alone.cpu_seconds.values()),
                }
            )
            bench.say(f"{size}: {mean * 1000:.1f} ms alone, {sum(busy.cpu_seconds.values()) * 1000:.1f} ms of CPU")
        memory = spending.memory_bytes(spending.members(bench.state.supervisor_pid))
    return found, memory


def request(found: dict[str, Any]) -> Request:
    """As `frond capacity` reads it."""
    return Request(
        megapixels=found["megapixels"],
        photo_bytes=found["photo_bytes"],
        cpu_seconds=CpuSeconds(**{kind: found["cpu_seconds"][kind] for kind in spending.KINDS}),
        alone_seconds=found["alone_seconds"],
    )


async def check(bench: Bench, requests: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Open and closed loops beside what follows from `requests`, measured before."""
    opens, closes = [], []
    async with shaped(bench.paths, bench.state, Shape(cores=bench.cores)) as addresses:
        for found in (each for each in requests if each["size"] in CHECKED):
            callers = Callers(addresses, found["size"])
            cpu = sum(found["cpu_seconds"].values())
            for share in LOADS:
                rate = share * bench.cores / cpu
                seen = await opened(callers.ask, bench.state.supervisor_pid, rate, 3 * bench.seconds)
                opens.append(
                    {"size": found["size"], "load": share, "rate": rate, **beside(found, bench.cores, rate, seen)}
                )
                bench.say(f"open {found['size']} {rate:.1f}/s")
            for count in CLOSED:
                seen = await closed(callers.ask, bench.state.supervisor_pid, count, bench.seconds)
                predicted = queueing.together(count, found["alone_seconds"], cpu / bench.cores)
                closes.append({"size": found["size"], "callers": count, "predicted": predicted, "measured": seen.rate})
            callers.close()
    return {"open": opens, "closed": closes}


def beside(found: dict[str, Any], cores: int, rate: float, seen: Observed) -> dict[str, float]:
    each = sum(found["cpu_seconds"].values()) / cores
    time = queueing.batching(rate, found["alone_seconds"], each) + queueing.Time(0.0, found["alone_variance"])
    ordered = sorted(seen.latencies)
    return {
        "predicted_p50": time.quantile(0.5),
        "measured_p50": percentile(ordered, 0.5),
        "predicted_p95": time.quantile(0.95),
        "measured_p95": percentile(ordered, 0.95),
        "refused": seen.refused,
    }


def figures(seen: Observed) -> dict[str, Any]:
    ordered = sorted(seen.latencies)
    return {
        "rate": seen.rate,
        "p50": percentile(ordered, 0.5),
        "p99": percentile(ordered, 0.99),
        "cpu_seconds": seen.cpu_seconds,
    }
