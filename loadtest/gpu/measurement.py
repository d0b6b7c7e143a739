"""One measurement: networks built, run bare, served, compared with the CPU, and timed."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tritonclient.grpc import InferenceServerClient

from loadtest.gpu import agreement, bare, configuration, load, machine, networks, photos, provider, server, stages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    from stack.triton import Addresses


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure. `engines`: where TensorRT keeps what it built; `clients`: processes that ask Triton."""

    provider: str
    names: Sequence[str]
    photo_sizes: tuple[str, ...]
    concurrencies: tuple[int, ...]
    batches: tuple[int, ...]
    seconds: float
    clients: int
    engines: Path
    settings: Mapping[str, str]


def measure(plan: Plan, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Raises `ServerError` or `ProviderError` when the provider cannot be used."""
    repository = folder / "model_repository"
    made = networks.make_repository(repository, plan.names)
    cpu = {network.name: _on_the_cpu(repository, network, plan) for network in made}
    say("The CPU has answered.")
    configuration.adapt(repository, [network.model for network in made], plan.provider, plan.engines, plan.settings)
    results: dict[str, Any] = {network.name: {} for network in made}
    for network in made:
        results[network.name]["bare"] = _plain(provider.in_a_process(bare.measure, _job(repository, network, plan)))
        say(f"{network.name}: measured bare.")
    begin = time.monotonic()
    with server.running(folder, repository, plan.provider) as addresses:
        ready = round(time.monotonic() - begin, 1)
        with InferenceServerClient(addresses.grpc) as client, provider.processes(plan.clients) as pool:
            for network in made:
                results[network.name]["agreement"] = _agreements(client, network, cpu[network.name])
                results[network.name]["triton"] = _Served(plan, network, addresses, client, pool).measure()
                say(f"{network.name}: measured served.")
        memory = machine.memory_used_mib()
    return {
        "machine": machine.describe(),
        "provider": plan.provider,
        "settings": dict(plan.settings),
        "seconds_each": plan.seconds,
        "triton_ready_s": ready,
        "gpu_memory_mib": memory,
        "networks": results,
    }


def _on_the_cpu(repository: Path, network: networks.Network, plan: Plan) -> Any:
    job = _job(repository, network, plan, configuration.CPU)
    return provider.in_a_process(bare.answers, job, photos.varied())


def _job(repository: Path, network: networks.Network, plan: Plan, on: str | None = None) -> bare.Job:
    return bare.Job(
        repository,
        network.model,
        network.folder,
        on or plan.provider,
        network.release().preprocessing,
        plan.batches,
        plan.photo_sizes,
        plan.seconds,
    )


def _agreements(client: Any, network: networks.Network, logits: Any) -> dict[str, Any]:
    jpegs = photos.varied()
    found = {
        "tensors": agreement.of_tensors(client, network, jpegs, logits),
        "photos": agreement.of_photos(client, network, jpegs, logits),
    }
    return {way: {**asdict(one), "holds": one.holds} for way, one in found.items()}


@dataclass(frozen=True, slots=True)
class _Served:
    """A network behind Triton under load."""

    plan: Plan
    network: networks.Network
    addresses: Addresses
    client: Any
    pool: Executor

    def measure(self) -> dict[str, Any]:
        jpegs = {size: photos.of_size(size) for size in self.plan.photo_sizes}
        tensors = list(photos.tensors(next(iter(jpegs.values())), self.network.release().preprocessing))
        return {
            "tensor": self._by_concurrency(self.network.model, tensors, None),
            "jpeg": {
                size: self._by_concurrency(configuration.DIAGNOSE, found, self.network.version)
                for size, found in jpegs.items()
            },
        }

    def _by_concurrency(self, model: str, payloads: list[Any], version: str | None) -> dict[str, Any]:
        return {str(number): self._one(model, payloads, version, number) for number in self.plan.concurrencies}

    def _one(self, model: str, payloads: list[Any], version: str | None, concurrency: int) -> dict[str, Any]:
        models = [self.network.model, configuration.DIAGNOSE]
        asked = load.Load(self.addresses.grpc, model, payloads, concurrency, self.plan.seconds, version)
        before = stages.read(self.client, self.addresses.metrics, models)
        timing = load.run(self.pool, self.plan.clients, asked)
        after = stages.read(self.client, self.addresses.metrics, models)
        return {**asdict(timing), "stages": stages.breakdown(before, after, self.network.model)}


def _plain(found: Any) -> Any:
    """Timings, at whatever depth, as JSON has them."""
    return {key: _plain(value) for key, value in found.items()} if isinstance(found, dict) else asdict(found)
