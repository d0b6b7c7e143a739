"""What `diagnose` reports on Triton's metrics port."""

from __future__ import annotations

from collections import Counter
from typing import Any

import triton_python_backend_utils as pb_utils

# Seconds; from a thumbnail's decoding to the 8 s that a phone waits.
BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0]


class Metrics:
    """The instances of `diagnose` write to the same series: Triton joins families of one name."""

    def __init__(self) -> None:
        family, counter = pb_utils.MetricFamily, pb_utils.MetricFamily.COUNTER
        self._stages = family("frond_stage_seconds", "Time of a stage for one batch", family.HISTOGRAM)
        self._photos = family("frond_photos_total", "Photos by outcome: ok or the error's code", counter)
        self._diagnoses = family("frond_diagnoses_total", "Diagnoses by release and reason of abstention", counter)
        self._series: dict[tuple[str, ...], Any] = {}

    def report(self, diagnoses: list[dict[str, Any]], stage_seconds: dict[str, float]) -> None:
        """One batch. Each series is touched once: every call goes through the server."""
        for stage, seconds in stage_seconds.items():
            self._histogram(stage).observe(seconds)
        photos = Counter(_outcome(photo) for diagnosis in diagnoses for photo in diagnosis["images"])
        answers = Counter((d["model"]["version"], d["abstainReason"] or "no") for d in diagnoses)
        for outcome, number in photos.items():
            self._counter(self._photos, outcome=outcome).increment(number)
        for (release, abstained), number in answers.items():
            self._counter(self._diagnoses, release=release, abstained=abstained).increment(number)

    def close(self) -> None:
        """Series go before their families, which Triton asks for."""
        self._series.clear()

    def _histogram(self, stage: str) -> Any:
        if ("stage", stage) not in self._series:
            self._series["stage", stage] = self._stages.Metric(labels={"stage": stage}, buckets=BUCKETS)
        return self._series["stage", stage]

    def _counter(self, family: Any, **labels: str) -> Any:
        key = tuple(labels.values())
        if key not in self._series:
            self._series[key] = family.Metric(labels=labels)
        return self._series[key]


def _outcome(photo: dict[str, Any]) -> str:
    return str(photo["error"]["code"]) if photo["error"] else "ok"
