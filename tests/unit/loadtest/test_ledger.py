"""Requests of a worker reach its master whole."""

from __future__ import annotations

from typing import Any

from loadtest.scenarios.outcome import NOISY
from loadtest.users.ledger import Ledger
from tests.unit.loadtest.runs import sample


def test_what_a_worker_reports_the_master_has_and_once() -> None:
    worker, master = Ledger(is_worker=True), Ledger(is_worker=False)
    first, second = sample(1, code="overloaded"), sample(2, is_duplicate=True)
    for each in (first, second):
        worker.record(each)
        report: dict[str, Any] = {}
        worker.report("worker-1", report)
        master.take("worker-1", report)
    assert master.samples == [first, second]


def test_locust_hears_of_each_request_once_and_of_an_expected_refusal_as_no_failure() -> None:
    ledger, heard = Ledger(is_worker=False), list[dict[str, Any]]()
    for each in (sample(), sample(code="overloaded"), sample(code="rate_limited", group=NOISY)):
        ledger.record(each)
    for _ in range(2):
        ledger.tell(lambda **event: heard.append(event))
    assert [event["exception"] for event in heard] == [None, "overloaded", None]
    assert heard[0]["response_time"] == 100
