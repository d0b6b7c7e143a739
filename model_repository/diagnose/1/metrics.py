"""What `diagnose` reports on Triton's metrics port."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

# Seconds; from a thumbnail's decoding to the 8 s that a phone waits.
BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0]
CONFIDENCES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0]
NOT_A_LEAF = "not_a_leaf"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (through which photos come here)
LOOK_SECONDS = 5.0  # between two looks at it


class Metrics:
    """The instances of `diagnose` write to the same series: Triton joins families of one name."""

    def __init__(self, stub: str) -> None:
        """`stub`: the instance that this process is."""
        family, counter, gauge = pb_utils.MetricFamily, pb_utils.MetricFamily.COUNTER, pb_utils.MetricFamily.GAUGE
        self._stages = family("frond_stage_seconds", "Time of a stage for one batch", family.HISTOGRAM)
        self._photos = family("frond_photos_total", "Photos by outcome: ok or the error's code", counter)
        self._diagnoses = family("frond_diagnoses_total", "Diagnoses by release and reason of abstention", counter)
        self._confidence = family("frond_confidence", "The first label's, of diagnoses of leaves", family.HISTOGRAM)
        self._measured = family("frond_release_measured", "1: the release has a card of its calibration", gauge)
        self._memory = family("frond_shared_memory_bytes", "What /dev/shm holds, and what is free of it", gauge)
        self._started = family("frond_stub_started_timestamp_seconds", "When a process of diagnose started", gauge)
        self._series: dict[tuple[str, ...], Any] = {}
        self._known: dict[str, bool] = {}
        self._look_at = 0.0
        self._plain(self._started, stub=stub).set(time.time())

    def report(
        self, diagnoses: list[dict[str, Any]], stage_seconds: dict[str, float], are_measured: dict[str, bool]
    ) -> None:
        """One batch, and whether its releases were measured. Every touch of a series goes through the server."""
        for stage, seconds in stage_seconds.items():
            self._histogram(self._stages, BUCKETS, stage=stage).observe(seconds)
        photos = Counter(_outcome(photo) for diagnosis in diagnoses for photo in diagnosis["images"])
        answers = Counter((d["model"]["version"], d["abstainReason"] or "no") for d in diagnoses)
        for outcome, number in photos.items():
            self._plain(self._photos, outcome=outcome).increment(number)
        for (release, abstained), number in answers.items():
            self._plain(self._diagnoses, release=release, abstained=abstained).increment(number)
        for diagnosis in diagnoses:
            self._report_confidence(diagnosis)
        for release in [name for name, is_measured in are_measured.items() if self._known.get(name) != is_measured]:
            self._plain(self._measured, release=release).set(float(are_measured[release]))
        self._known |= are_measured
        self._report_memory()

    def close(self) -> None:
        """Series go before their families, as Triton asks for; and these before the channel to the server does."""
        self._series.clear()
        del self._stages, self._photos, self._diagnoses, self._confidence, self._measured, self._memory, self._started

    def _report_confidence(self, diagnosis: dict[str, Any]) -> None:
        """Of leaves: what is none says nothing of the model's labels, and the gateways' synthetic photos are none."""
        if diagnosis["predictions"] and diagnosis["abstainReason"] != NOT_A_LEAF:
            histogram = self._histogram(self._confidence, CONFIDENCES, release=diagnosis["model"]["version"])
            histogram.observe(diagnosis["predictions"][0]["confidence"])

    def _report_memory(self) -> None:
        """When it is full, Triton can take no photo."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        found = os.statvfs(SHARED_MEMORY)
        self._plain(self._memory, state="size").set(found.f_frsize * found.f_blocks)
        self._plain(self._memory, state="free").set(found.f_frsize * found.f_bavail)

    def _histogram(self, family: Any, buckets: list[float], **labels: str) -> Any:
        return self._find(family, labels, buckets=buckets)

    def _plain(self, family: Any, **labels: str) -> Any:
        return self._find(family, labels)

    def _find(self, family: Any, labels: dict[str, str], **options: Any) -> Any:
        key = (str(id(family)), *labels.values())
        if key not in self._series:
            self._series[key] = family.Metric(labels=labels, **options)
        return self._series[key]


def _outcome(photo: dict[str, Any]) -> str:
    return str(photo["error"]["code"]) if photo["error"] else "ok"
