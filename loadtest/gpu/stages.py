"""Where the time goes: Triton's counters and those of `diagnose` before and after a load, as means."""

from __future__ import annotations

import urllib.request
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from loadtest.gpu.configuration import DIAGNOSE

STAGE_FAMILY = "frond_stage_seconds"
NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True)
class Counters:
    """All of them only grow. `executions`: batches that a model ran; `stages`: name → (seconds, batches)."""

    requests: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    executions: dict[str, int] = field(default_factory=dict)
    queue_ns: dict[str, int] = field(default_factory=dict)
    compute_ns: dict[str, int] = field(default_factory=dict)
    stages: dict[str, tuple[float, float]] = field(default_factory=dict)


def read(client: Any, metrics_address: str, models: list[str]) -> Counters:
    """`client`: tritonclient's, for gRPC. A model's compute is from its input's first copy to its output's last."""
    counters = Counters(stages=_stages(metrics_address))
    for model in models:
        (found,) = client.get_inference_statistics(model).model_stats
        times = found.inference_stats
        counters.requests[model] = times.success.count
        counters.rows[model] = found.inference_count
        counters.executions[model] = found.execution_count
        counters.queue_ns[model] = times.queue.ns
        counters.compute_ns[model] = times.compute_input.ns + times.compute_infer.ns + times.compute_output.ns
    return counters


def _stages(metrics_address: str) -> dict[str, tuple[float, float]]:
    with urllib.request.urlopen(f"http://{metrics_address}/metrics", timeout=5) as response:
        text = response.read().decode()
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples if family.name == STAGE_FAMILY else ():
            found.setdefault(sample.labels["stage"], {})[sample.name.removeprefix(STAGE_FAMILY)] = sample.value
    return {stage: (values["_sum"], values["_count"]) for stage, values in found.items()}


def breakdown(before: Counters, after: Counters, model: str) -> dict[str, float]:
    """Means in ms, and how full the batches were. The stages of `diagnose` only where it took part."""
    means = _of_model("classifier", before, after, model)
    if after.requests.get(DIAGNOSE, 0) > before.requests.get(DIAGNOSE, 0):
        means |= _of_model(DIAGNOSE, before, after, DIAGNOSE)
        for stage, (seconds, batches) in after.stages.items():
            earlier = before.stages.get(stage, (0.0, 0.0))
            means[f"{stage}_ms"] = _mean((seconds - earlier[0]) * 1000, batches - earlier[1])
    return means


def _of_model(name: str, before: Counters, after: Counters, model: str) -> dict[str, float]:
    def grown(counter: str) -> float:
        return float(getattr(after, counter)[model] - getattr(before, counter)[model])

    return {
        f"{name}_queue_ms": _mean(grown("queue_ns") / NS_PER_MS, grown("requests")),
        f"{name}_compute_ms": _mean(grown("compute_ns") / NS_PER_MS, grown("requests")),
        f"{name}_batch": _mean(grown("rows"), grown("executions")),
    }


def _mean(total: float, count: float) -> float:
    return round(total / count, 3) if count else 0.0
