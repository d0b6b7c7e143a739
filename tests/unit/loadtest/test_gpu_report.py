"""The tables of a measurement: a line for every figure, and plain words where answers differ."""

from __future__ import annotations

from typing import Any

from loadtest.gpu.report import agrees, tables

TIMING = {"rate": 1234.5, "p50_ms": 6.04, "p99_ms": 9.96}
STAGES = {"classifier_queue_ms": 1.0, "classifier_compute_ms": 2.0, "classifier_batch": 3.0}


def result(*, holds: bool) -> dict[str, Any]:
    agreement = {"compared": 24, "other_label": 0 if holds else 2, "difference": 0.004, "margin": 0.05, "holds": holds}
    served = {**TIMING, "stages": STAGES}
    network = {
        "agreement": {"tensors": agreement},
        "bare": {"tensor": {"1": TIMING}, "jpeg": {"256px": {"one by one": TIMING}}},
        "triton": {"tensor": {"8": served}, "jpeg": {"256px": {"8": {**served, "stages": {"decode_ms": 1.5}}}}},
    }
    return {"networks": {"resnet-50": network}}


def test_every_figure_has_its_line() -> None:
    lines = tables(result(holds=True)).splitlines()
    for line in (
        "| resnet-50 | tensor | ONNX Runtime | batch 1 | 1234 | 6.0 | 10.0 |",
        "| resnet-50 | tensor | Triton | concurrency 8 | 1234 | 6.0 | 10.0 |",
        "| resnet-50 | 256px | ONNX Runtime | one by one | 1234 | 6.0 | 10.0 |",
        "| resnet-50 | 256px | diagnose | concurrency 8 | 1234 | 6.0 | 10.0 |",
    ):
        assert line in lines


def test_a_stage_that_a_load_does_not_have_is_left_empty() -> None:
    lines = tables(result(holds=True)).splitlines()
    assert "| resnet-50 | tensor | 8 |  |  |  |  |  | 1.0 | 2.0 | 3.0 |" in lines
    assert "| resnet-50 | 256px | 8 |  | 1.5 |  |  |  |  |  |  |" in lines


def test_answers_that_differ_stand_out() -> None:
    assert "resnet-50, tensors: agrees with the CPU on 24 answers: 0 other labels" in tables(result(holds=True))
    assert "resnet-50, tensors: DIFFERS with the CPU on 24 answers: 2 other labels" in tables(result(holds=False))


def test_one_network_that_differs_spoils_the_whole() -> None:
    both = {"networks": {**result(holds=True)["networks"], "other": result(holds=False)["networks"]["resnet-50"]}}
    assert agrees(result(holds=True))
    assert not agrees(both)
