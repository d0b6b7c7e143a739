"""Triton's counters before and after a load become means of that load alone."""

from __future__ import annotations

from dataclasses import replace

from loadtest.gpu.stages import Counters, breakdown

MODEL = "classifier_2"


def counters(requests: int, batches: int, *, diagnoses: int = 0, decode_seconds: float = 0.0) -> Counters:
    """Every request brings two photos, waits 2 ms in the queue and is computed in 5 ms."""
    return Counters(
        requests={MODEL: requests, "diagnose": diagnoses},
        rows={MODEL: 2 * requests, "diagnose": diagnoses},
        executions={MODEL: batches, "diagnose": diagnoses},
        queue_ns={MODEL: requests * 2_000_000, "diagnose": diagnoses * 1_000_000},
        compute_ns={MODEL: requests * 5_000_000, "diagnose": diagnoses * 9_000_000},
        stages={"decode": (decode_seconds, diagnoses)},
    )


def test_what_was_counted_before_the_load_does_not_count() -> None:
    found = breakdown(counters(1000, 1000), counters(1100, 1020), MODEL)
    assert found == {"classifier_queue_ms": 2.0, "classifier_compute_ms": 5.0, "classifier_batch": 10.0}


def test_the_stages_of_diagnose_are_means_of_its_batches() -> None:
    before = counters(10, 10, diagnoses=10, decode_seconds=5.0)
    found = breakdown(before, counters(20, 20, diagnoses=30, decode_seconds=5.1), MODEL)
    assert found["decode_ms"] == 5.0
    assert (found["diagnose_queue_ms"], found["diagnose_batch"]) == (1.0, 1.0)


def test_a_stage_that_had_not_happened_before_counts_from_nothing() -> None:
    before = replace(counters(0, 0), stages={})
    assert breakdown(before, counters(1, 1, diagnoses=1, decode_seconds=0.004), MODEL)["decode_ms"] == 4.0


def test_a_load_without_a_request_has_zeros() -> None:
    assert set(breakdown(counters(5, 5), counters(5, 5), MODEL).values()) == {0.0}
