"""How many of each part a load needs: the fewest that keep the utilisation and answer in time. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

from cli.capacity.queueing import Time, batches, batching, total, wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.capacity.measured import Measurements, Request

DAY_SECONDS = 86_400
MOST_SERVERS = 100_000
TRITONS = "Triton servers of {} cores"
INSTANCES = 2  # of each model, as shipped
COPIES = 3  # of a photo in the gateway at worst; FROND_MAX_HELD_BYTES is described so


class ImpossibleError(ValueError):
    """No number of servers keeps the target."""


@dataclass(frozen=True, slots=True)
class Load:
    """`rate`: requests a second at the peak; `daily_requests`: what the table holds, kept for 24 hours."""

    rate: float
    daily_requests: float
    megapixels: float
    photos: int
    target_seconds: float
    share: float  # of the requests that have to be answered within the target
    utilisation: float  # of any resource at the peak, at most
    spare: int  # of each, beyond what is needed: so many may fail or be exchanged


@dataclass(frozen=True, slots=True)
class Gpu:
    """`per_second`: photos of the served network with full batches, by its owner's own measurement."""

    per_second: float
    batch: int


@dataclass(frozen=True, slots=True)
class Station:
    """One resource: `time` says how long a request is there with so many servers."""

    name: str
    offered: float  # servers that would be busy all the time
    time: Callable[[int], Time]
    servers: int = 0

    @property
    def utilisation(self) -> float:
        return self.offered / self.servers


@dataclass(frozen=True, slots=True)
class Database:
    rows: float
    table_bytes: float
    index_bytes: float
    wal_bytes_per_second: float
    flushes_per_second: float
    pages_written_per_second: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What is needed without the spare ones, the time it answers in, and what follows from it."""

    stations: tuple[Station, ...]
    p50: float
    p95: float
    p99: float
    database: Database
    gateway_memory_bytes: float  # each
    triton_memory_bytes: float  # each
    network_bits_per_second: float  # into the gateways, and once more from there to Triton


def plan(load: Load, measured: Measurements, gpu: Gpu | None) -> Plan:
    """Raises `ImpossibleError` if the target is shorter than a request alone takes."""
    request = measured.request(load.megapixels)
    found = enough(stations(load, request, measured.cores, gpu), load)
    time = answer_time(found)
    held = load.rate / found[0].servers * time.quantile(0.99) * load.photos * request.photo_bytes * COPIES
    return Plan(
        stations=found,
        p50=time.quantile(0.5),
        p95=time.quantile(0.95),
        p99=time.quantile(0.99),
        database=database(load, measured),
        gateway_memory_bytes=measured.memory.gateway + held,
        triton_memory_bytes=triton_memory(measured, gpu),
        network_bits_per_second=load.rate * load.photos * request.photo_bytes * 8,
    )


def stations(load: Load, request: Request, cores: int, gpu: Gpu | None) -> tuple[Station, ...]:
    """In the order of a request's way; the gateways first. Several photos count as one after the other."""
    cpu = request.cpu_seconds
    found = (
        gateways(load, cpu.gateway * load.photos),
        database_cores(load, cpu.database),
        tritons(load, request, cores, without_classifier=gpu is not None),
    )
    return (*found, gpus(load.rate * load.photos, gpu)) if gpu else found


def gateways(load: Load, cpu_seconds: float) -> Station:
    """Processes with one event loop and a queue each: a balancer that does not look sends every one its share."""
    service = exponential(cpu_seconds)
    return Station(
        "gateway processes", load.rate * cpu_seconds, lambda count: wait(1, load.rate / count, service) + service
    )


def database_cores(load: Load, cpu_seconds: float) -> Station:
    service = exponential(cpu_seconds)
    return Station("database cores", load.rate * cpu_seconds, lambda count: wait(count, load.rate, service) + service)


def tritons(load: Load, request: Request, cores: int, *, without_classifier: bool) -> Station:
    """Servers on as many cores as were measured, with the same settings: each answers what waits in one batch."""
    cpu = request.cpu_seconds
    spent = cpu.triton + cpu.decoding + (0.0 if without_classifier else cpu.classifier)
    beyond = cpu.gateway + cpu.database + (cpu.classifier if without_classifier else 0.0)
    each = spent / cores * load.photos
    alone = max(each, request.alone_seconds - beyond + (load.photos - 1) * spent / cores)
    return Station(TRITONS.format(cores), load.rate * each, lambda count: batching(load.rate / count, alone, each))


def gpus(rate: float, gpu: Gpu) -> Station:
    return Station("GPUs", rate / gpu.per_second, lambda count: batches(count, rate, gpu.per_second, gpu.batch))


def triton_memory(measured: Measurements, gpu: Gpu | None) -> float:
    """Of one server with two processes of each kind, as measured; a GPU's sessions are in its own memory."""
    memory = measured.memory
    return memory.triton + INSTANCES * (memory.decoding + (0.0 if gpu else memory.classifier))


def exponential(mean: float) -> Time:
    """Photos differ; work that varies as much as its mean is more than what is seen with photos of one size."""
    return Time(mean, mean**2)


def enough(stations: tuple[Station, ...], load: Load) -> tuple[Station, ...]:
    """First what the utilisation asks for, then one more where that shortens the wait most, until the target holds."""
    found = tuple(replace(each, servers=max(1, ceil(each.offered / load.utilisation))) for each in stations)
    while answer_time(found).quantile(load.share) > load.target_seconds:
        gains = [each.time(each.servers).mean - each.time(each.servers + 1).mean for each in found]
        best = gains.index(max(gains))
        if max(gains) < 1e-6 or found[best].servers >= MOST_SERVERS:
            alone = answer_time(found).quantile(load.share)
            raise ImpossibleError(f"A request takes {alone:.3g} s with nothing to wait for.")
        found = tuple(replace(each, servers=each.servers + (index == best)) for index, each in enumerate(found))
    return found


def answer_time(stations: tuple[Station, ...]) -> Time:
    return total(each.time(each.servers) for each in stations)


def database(load: Load, measured: Measurements) -> Database:
    """One row a request, for 24 hours; a completion waits for the disk, unless it joins another one's flush."""
    row = measured.row
    return Database(
        rows=load.daily_requests,
        table_bytes=load.daily_requests * row.table_bytes,
        index_bytes=load.daily_requests * row.index_bytes,
        wal_bytes_per_second=load.rate * row.wal_bytes,
        flushes_per_second=load.rate,
        pages_written_per_second=load.rate * row.pages_written,
    )
