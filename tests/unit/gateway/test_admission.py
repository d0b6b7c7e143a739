"""Admission by expected wait: who would not be answered in time is told at once, and nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.inference.admission import FEW, Load
from tests.unit.gateway.test_breaker import Clock


def served(load: Load, clock: Clock, number: int, interval_seconds: float) -> None:
    """So many calls at once, answered one after the other."""
    began = [load.begin() for _ in range(number)]
    for start in began:
        clock.now += interval_seconds
        load.end(start, answered=True)


def test_an_address_that_has_not_answered_yet_is_expected_to_do_so_at_once() -> None:
    load = Load(Clock())
    for _ in range(1000):
        load.begin()
    assert load.expected_seconds() == 0


@given(st.integers(0, FEW - 1), st.floats(0.001, 60))
def test_few_in_flight_are_never_too_many(in_flight: int, interval_seconds: float) -> None:
    clock = Clock()
    load = Load(clock)
    served(load, clock, 20, interval_seconds)
    for _ in range(in_flight):
        load.begin()
    assert load.expected_seconds() == 0


@given(st.integers(FEW, 500), st.floats(0.001, 10))
def test_the_wait_grows_with_those_in_flight_and_with_the_time_between_answers(
    in_flight: int, interval_seconds: float
) -> None:
    clock = Clock()
    load = Load(clock)
    served(load, clock, 50, interval_seconds)
    for _ in range(in_flight):
        load.begin()
    wait = load.expected_seconds()
    assert in_flight * interval_seconds <= wait <= 2 * (in_flight + 1) * interval_seconds
    load.begin()
    assert load.expected_seconds() > wait


def test_time_in_which_nobody_asked_is_not_the_models() -> None:
    clock = Clock()
    load = Load(clock)
    for _ in range(50):
        clock.now += 100
        served(load, clock, 1, 0.01)
    for _ in range(10):
        load.begin()
    assert load.expected_seconds() == pytest.approx(11 * 0.01, rel=0.5)


def test_calls_without_an_answer_leave_the_flight_and_say_nothing_of_the_pace() -> None:
    clock = Clock()
    load = Load(clock)
    served(load, clock, 20, 0.01)
    began = [load.begin() for _ in range(10)]
    before = load.expected_seconds()
    clock.now += 30
    for start in began[:5]:
        load.end(start, answered=False)
    assert load.in_flight == 5
    assert load.expected_seconds() < before


def test_it_learns_that_the_model_has_become_slower() -> None:
    clock = Clock()
    load = Load(clock)
    served(load, clock, 100, 0.01)
    served(load, clock, 100, 0.1)
    for _ in range(9):
        load.begin()
    assert load.expected_seconds() == pytest.approx(10 * 0.1, rel=0.5)
