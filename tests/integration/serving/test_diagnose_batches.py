"""Requests to `diagnose` that meet are decoded together and cost one call of the classifier for each release."""

from __future__ import annotations

import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tritonclient.utils import InferenceServerException

from gateway.inference.picture import green_png
from tests.conftest import SHARED_MEMORY_PREFIX
from tests.integration.serving.assessments import ask
from tests.integration.serving.conftest import count, metrics
from tests.integration.serving.photos import jpeg, slow_png

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import RunningTriton

SLOW = slow_png()
INSTANCES = 2


def ask_together(client: Any, assessments: Sequence[Sequence[bytes]], **options: Any) -> list[dict[str, Any]]:
    """Keeps the instances busy until the assessments are in the queue, from where they go as batches."""
    with ThreadPoolExecutor(INSTANCES + len(assessments)) as pool:
        busy = [pool.submit(ask, client, [SLOW] * 2) for _ in range(INSTANCES)]
        answers = [pool.submit(ask, client, photos, **options) for photos in assessments]
        for answer in busy:
            answer.result()
        return [answer.result() for answer in answers]


def occupy(pool: ThreadPoolExecutor, client: Any) -> list[Future[dict[str, Any]]]:
    """Gives each instance a request: sent apart, so that they do not share a batch, and of different length, so that
    one is still busy when the other ends."""
    busy = []
    for photos in range(4, 4 * INSTANCES + 1, 4):
        busy.append(pool.submit(ask, client, [SLOW] * photos))
        time.sleep(0.2)
    return busy


def test_requests_that_wait_are_answered_in_fewer_executions(client: Any) -> None:
    before = count(client, "diagnose")
    ask_together(client, [[jpeg()]] * 12)
    done = count(client, "diagnose", at_least=before.requests + INSTANCES + 12) - before
    assert done.executions <= INSTANCES + 12 / 2


def test_a_batch_is_one_call_of_the_classifier(client: Any) -> None:
    before = {model: count(client, model) for model in ("diagnose", "classifier")}
    ask_together(client, [[jpeg()] * photos for photos in (1, 2, 3, 4, 5)])
    batches = (count(client, "diagnose", before["diagnose"].requests + INSTANCES + 5) - before["diagnose"]).executions
    calls = count(client, "classifier", before["classifier"].requests + batches) - before["classifier"]
    assert calls.requests == batches


def test_each_request_of_a_batch_gets_the_answers_to_its_own_photos(client: Any) -> None:
    photos = [jpeg(brightness=25 * index) for index in range(8)]
    together = ask_together(client, [photos[: index + 1] for index in range(8)])
    alone = [ask(client, photos[: index + 1]) for index in range(8)]
    for batched, single in zip(together, alone, strict=True):
        assert len(batched["images"]) == len(single["images"])
        assert confidences(batched) == pytest.approx(confidences(single), abs=1e-5)


def confidences(diagnosis: dict[str, Any]) -> dict[str, float]:
    return {prediction["label"]: prediction["confidence"] for prediction in diagnosis["predictions"]}


def test_a_refused_request_does_not_harm_its_neighbours_in_the_batch(client: Any) -> None:
    wrong: list[dict[str, Any]] = [{"top_k": 0}, {"budget_ms": 0}, {"version": "none"}]
    with ThreadPoolExecutor(8) as pool:
        busy = [pool.submit(ask, client, [SLOW] * 2) for _ in range(INSTANCES)]
        refused = [pool.submit(ask, client, [jpeg()], **options) for options in wrong]
        good = [pool.submit(ask, client, [jpeg()]) for _ in wrong]
        codes = [str(answer.exception().status()) for answer in refused]  # type: ignore[union-attr]
        assert [len(answer.result()["predictions"]) for answer in good + busy] == [5] * 5
    assert codes == ["StatusCode.INVALID_ARGUMENT", "StatusCode.CANCELLED", "StatusCode.NOT_FOUND"]


def test_a_request_whose_time_runs_out_in_the_queue_is_refused_there(client: Any) -> None:
    with ThreadPoolExecutor(INSTANCES + 1) as pool:
        busy = occupy(pool, client)
        with pytest.raises(InferenceServerException, match="Request timeout expired"):
            ask(client, [jpeg()], queue_timeout_us=1000)
        assert not all(answer.done() for answer in busy)


def test_a_caller_that_hangs_up_while_waiting_does_not_reach_the_classifier(client: Any) -> None:
    classifier, diagnose = count(client, "classifier"), count(client, "diagnose")
    with ThreadPoolExecutor(INSTANCES) as pool:
        busy = occupy(pool, client)
        with pytest.raises(InferenceServerException, match="Deadline Exceeded"):
            ask(client, [jpeg()], client_timeout=0.05)
        assert all(answer.result() for answer in busy)
    count(client, "diagnose", at_least=diagnose.requests + INSTANCES + 1)
    assert (count(client, "classifier") - classifier).requests <= INSTANCES


def test_metrics_tell_stages_photos_and_diagnoses(client: Any, triton: RunningTriton) -> None:
    before = metrics(triton)
    ask(client, [jpeg(), b"no photo"])
    after = metrics(triton)

    def grown(series: str) -> float:
        return after[series] - before.get(series, 0)

    for stage in ("decode", "infer", "postprocess"):
        assert grown(f'frond_stage_seconds_count{{stage="{stage}"}}') == 1
        assert 0 < grown(f'frond_stage_seconds_sum{{stage="{stage}"}}') < 10
    assert grown('frond_photos_total{outcome="ok"}') == 1
    assert grown('frond_photos_total{outcome="image_type_unsupported"}') == 1
    assert sum(grown(series) for series in after if series.startswith("frond_diagnoses_total")) == 1


def test_a_photo_without_a_leaf_has_no_confidence_to_count(client: Any, triton: RunningTriton) -> None:
    before = metrics(triton)
    assert ask(client, [green_png()])["abstainReason"] == "not_a_leaf"
    after = metrics(triton)
    assert sum_of(after, "frond_diagnoses_total") == sum_of(before, "frond_diagnoses_total") + 1
    assert sum_of(after, "frond_confidence_count") == sum_of(before, "frond_confidence_count")


def sum_of(found: dict[str, float], name: str) -> float:
    return sum(value for series, value in found.items() if series.startswith(name))


def test_metrics_tell_of_the_release_the_processes_and_the_shared_memory(client: Any, triton: RunningTriton) -> None:
    ask(client, [jpeg()])
    found = metrics(triton)
    assert found['frond_release_measured{release="1"}'] == 1
    started = [value for name, value in found.items() if name.startswith("frond_stub_started_timestamp_seconds")]
    assert len(started) == INSTANCES
    assert all(0 < time.time() - each < 3600 for each in started)
    size, free = (found[f'frond_shared_memory_bytes{{state="{state}"}}'] for state in ("size", "free"))
    assert 0 < free <= size


def test_photos_that_cannot_be_read_do_not_pile_up_in_shared_memory(client: Any, triton: RunningTriton) -> None:
    """Triton's regions grow and never shrink, so a request that is held on to costs its size for good."""
    megabytes = 4
    junk = bytes(megabytes << 20)
    for _ in range(2 * INSTANCES):  # what one request at a time needs
        ask(client, [junk])
    before = shared_bytes()
    for _ in range(25):
        ask(client, [junk])
    assert shared_bytes() - before < 5 * megabytes << 20


def shared_bytes() -> int:
    regions = Path("/dev/shm").glob(SHARED_MEMORY_PREFIX.format(process_id=os.getpid()) + "*")
    return sum(region.stat().st_blocks * 512 for region in regions)
