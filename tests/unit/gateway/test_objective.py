"""Which diagnoses count for the objective, and as what."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from gateway.deadline import Deadline
from gateway.errors import (
    ClientGoneError,
    DatabaseUnavailableError,
    DeadlineError,
    InvalidRequestError,
    RequestInFlightError,
    TokenMissingError,
    TritonUnavailableError,
    UnauthenticatedFloodError,
)
from gateway.metrics import DEADLINES, Metrics
from gateway.objective import FAIR_SECONDS, HANG_UP_SECONDS, Promise

if TYPE_CHECKING:
    from collections.abc import Mapping

ENOUGH, TOO_LITTLE = FAIR_SECONDS + 1, FAIR_SECONDS - 0.5


def counted(error: BaseException | None, *, seconds: float | None) -> Mapping[str, float]:
    """What a request ends as that fails, or not, `seconds` before its deadline; None: before all of it was here."""
    metrics = Metrics()
    promise = Promise(metrics.deadlines)
    if seconds is not None:
        promise.begin(Deadline.after(seconds))
    with suppress(BaseException), promise:
        fail_with(error)
    return outcomes(metrics)


def outcomes(metrics: Metrics) -> Mapping[str, float]:
    counts = {name: metrics.deadlines.labels(name)._value.get() for name in DEADLINES}
    return {name: count for name, count in counts.items() if count}


def fail_with(error: BaseException | None) -> None:
    if error is not None:
        raise error


@pytest.mark.parametrize("seconds", [ENOUGH, TOO_LITTLE])
def test_an_answer_is_a_promise_kept_however_little_time_there_was(seconds: float) -> None:
    assert counted(None, seconds=seconds) == {"met": 1}


@pytest.mark.parametrize(
    "error",
    [
        DeadlineError("x"),
        TritonUnavailableError("x"),
        RequestInFlightError("x"),
        ZeroDivisionError(),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_is_missed_or_was_hurried_by_the_time_that_was_left(error: BaseException) -> None:
    assert counted(error, seconds=ENOUGH) == {"missed": 1}
    assert counted(error, seconds=TOO_LITTLE) == {"hurried": 1}


@pytest.mark.parametrize(
    "error",
    [InvalidRequestError("x"), TokenMissingError("x"), UnauthenticatedFloodError("x", 1000)],
    ids=lambda error: type(error).__name__,
)
def test_what_is_the_callers_fault_is_no_promise(error: BaseException) -> None:
    assert counted(error, seconds=ENOUGH) == counted(error, seconds=None) == {}


def ended(error: BaseException | None, *, had: float, left: float) -> Mapping[str, float]:
    """A request that had so many seconds once it was here, and has so many left as it ends."""
    metrics = Metrics()
    with suppress(BaseException), Promise(metrics.deadlines) as promise:
        promise.begin(Deadline.after(had))
        promise._deadline = Deadline.after(left)  # time passes
        fail_with(error)
    return outcomes(metrics)


def test_an_answer_after_the_deadline_is_none() -> None:
    assert ended(None, had=ENOUGH, left=-1) == {"missed": 1}
    assert ended(None, had=TOO_LITTLE, left=-1) == {"hurried": 1}


def test_who_hangs_up_as_his_time_ends_was_not_answered_in_it() -> None:
    """The SDK does, a moment before the deadline that it named has passed here."""
    assert ended(ClientGoneError("x"), had=ENOUGH, left=HANG_UP_SECONDS / 2) == {"missed": 1}
    assert ended(ClientGoneError("x"), had=ENOUGH, left=-1) == {"missed": 1}
    assert ended(ClientGoneError("x"), had=TOO_LITTLE, left=HANG_UP_SECONDS / 2) == {"hurried": 1}


def test_who_hangs_up_earlier_or_before_the_photos_are_here_has_not_waited_for_us() -> None:
    assert ended(ClientGoneError("x"), had=ENOUGH, left=HANG_UP_SECONDS + 5) == {}
    assert counted(ClientGoneError("x"), seconds=None) == {}


def test_photos_that_come_too_slowly_are_hurried() -> None:
    assert counted(DeadlineError("x"), seconds=None) == {"hurried": 1}


def test_a_database_that_is_out_before_the_photos_are_here_is_ours() -> None:
    assert counted(DatabaseUnavailableError("x"), seconds=None) == {"missed": 1}


def test_every_outcome_is_exported_from_the_start() -> None:
    (family,) = Metrics().deadlines.collect()
    assert {sample.labels["outcome"]: sample.value for sample in family.samples if sample.name.endswith("_total")} == {
        "met": 0,
        "missed": 0,
        "hurried": 0,
    }
