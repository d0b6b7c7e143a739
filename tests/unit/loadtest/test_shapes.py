"""How many users there are when: each shape of a scenario, without a clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest.scenarios.catalogue import SCENARIOS
from loadtest.scenarios.plan import Plan
from loadtest.scenarios.shapes import Ramp, Shape, Spike, Steady
from tests.unit.loadtest.runs import STARTED_AT, sample

if TYPE_CHECKING:
    from loadtest.asking.answer import Sample


def users(shape: Shape, at: float, samples: list[Sample] | None = None) -> int | None:
    return shape.users(at, STARTED_AT, samples or [])


def answers(per_second: float, since: float, seconds: float, latency: float = 0.1) -> list[Sample]:
    return [sample(since + number / per_second, latency) for number in range(int(per_second * seconds))]


def test_steady_users_are_all_there_until_the_end() -> None:
    shape = Steady(7, 60)
    assert [users(shape, at) for at in (0, 59.9, 60)] == [7, 7, None]


def test_a_spike_is_a_fifth_of_the_time_in_the_middle() -> None:
    shape = Spike(10, 50, 100)
    assert [users(shape, at) for at in (0, 39.9, 40, 59.9, 60, 99.9, 100)] == [10, 10, 50, 50, 10, 10, None]


def test_a_ramp_adds_half_as_many_users_with_every_step() -> None:
    shape = Ramp(10, first=2)
    levels = [users(shape, 10 * number + 1, answers(20, 0, 100)) for number in range(6)]
    assert levels == [2, 3, 4, 6, 9, 13]


def test_a_ramp_ends_when_p95_passes_its_limit() -> None:
    slow = answers(10, 0, 10) + answers(10, 10, 10, latency=5.5)
    shape = Ramp(10)
    assert users(shape, 10, slow) == 3
    assert users(shape, 20, slow) is None
    assert [step.holds for step in shape.steps] == [True, False]


def test_a_ramp_ends_when_errors_show() -> None:
    failing = [*answers(10, 0, 10), sample(13, code="overloaded"), *answers(5, 10, 10)]
    shape = Ramp(10)
    users(shape, 10, failing)
    assert users(shape, 20, failing) is None


def test_a_ramp_that_is_over_stays_over_while_its_users_leave() -> None:
    shape = Ramp(10)
    assert users(shape, 10, [sample(5, code="overloaded")]) is None
    assert users(shape, 20, answers(10, 10, 10)) is None
    assert len(shape.steps) == 1


def test_a_ramp_ends_when_nothing_is_answered() -> None:
    assert users(Ramp(10), 10) is None


def test_the_knee_is_where_more_users_bring_no_more_answers() -> None:
    throughput = (20, 38, 58, 80, 81, 82)
    samples = [each for step, rate in enumerate(throughput) for each in answers(rate, 10 * step, 10)]
    shape = Ramp(10)
    users(shape, 60, samples)
    assert shape.knee is not None
    assert shape.knee.users == 6
    assert shape.knee.per_second == pytest.approx(80, rel=0.05)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_plan_reaches_locusts_processes_as_it_is_and_its_shape_begins(name: str) -> None:
    scenario = SCENARIOS[name]
    plan = Plan(name, 10, 30, dict(scenario.kinds), "out", "command")
    assert Plan.from_environment(plan.environment()) == plan
    assert users(plan.shape(), 0) == 10 + scenario.noisy


def test_noise_is_in_the_middle_third() -> None:
    plan = Plan("noisy", 10, 30, {}, "out", "command")
    assert [plan.is_noise(at) for at in (0, 9.9, 10, 19.9, 20)] == [False, False, True, True, False]
