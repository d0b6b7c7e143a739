"""Whether a run keeps Frond's objectives, and what a scenario must show beside them."""

from __future__ import annotations

import pytest

from loadtest.asking.answer import NOT_REPLAYED, OTHER_BYTES, OTHER_VERSION, Sample
from loadtest.report.objectives import judge, percentile
from loadtest.scenarios.outcome import NOISY, run_of
from loadtest.scenarios.plan import Plan
from loadtest.scenarios.shapes import Ramp
from tests.unit.loadtest.runs import STARTED_AT, sample


def broken(samples: list[Sample]) -> list[str]:
    return [verdict.objective for verdict in judge(samples) if not verdict.holds]


def outcome(name: str, samples: list[Sample]) -> list[str]:
    """What does not hold of a scenario."""
    plan = Plan(name, 10, 30, {}, "out", "command")
    run = run_of(
        plan, shape=plan.shape(), target="here", started_at=STARTED_AT, samples=samples, users=[(0, 10), (30, 10)]
    )
    return [verdict.objective for verdict in run.all_verdicts() if not verdict.holds]


def test_quick_answers_without_errors_hold() -> None:
    assert broken([sample(seconds=1.9) for _ in range(100)]) == []


@pytest.mark.parametrize(
    ("slow", "seconds", "objective"), [(51, 2.1, ["p50"]), (6, 5.1, ["p95"]), (2, 8.1, ["p99"]), (1, 60, [])]
)
def test_a_percentile_is_judged_by_the_share_that_is_slower(slow: int, seconds: float, objective: list[str]) -> None:
    assert broken([sample(seconds=seconds)] * slow + [sample()] * (100 - slow)) == objective


def test_one_error_in_a_thousand_holds_and_two_do_not() -> None:
    assert broken([sample(code="overloaded")] + [sample()] * 999) == []
    assert broken([sample(code="overloaded")] * 2 + [sample()] * 998) == ["errors"]


def test_a_run_without_an_answer_holds_nothing() -> None:
    assert broken([]) == ["requests"]
    assert broken([sample(code="no_answer")]) == ["p50", "p95", "p99", "errors"]


@pytest.mark.parametrize("code", [NOT_REPLAYED, OTHER_BYTES])
def test_one_wrong_replay_in_a_million_is_too_many(code: str) -> None:
    samples = [sample(is_duplicate=True)] * 10_000 + [sample(code=code, is_duplicate=True)]
    assert broken(samples) == ["replays equal byte for byte"]


def test_replays_that_nobody_sent_are_not_said_to_be_equal() -> None:
    assert "replays equal byte for byte" not in [verdict.objective for verdict in judge([sample()])]


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([3.0, 1.0, 2.0, 4.0], 50) == 2.0
    assert percentile([1.0, 2.0], 99) == 2.0


def test_the_noisy_users_errors_are_not_the_others() -> None:
    limited = [sample(code="rate_limited", group=NOISY)] * 50
    assert outcome("noisy", [sample(), *limited]) == []


def test_a_noisy_user_who_is_not_held_back_is_a_failure() -> None:
    assert outcome("noisy", [sample(), sample(group=NOISY)]) == ["noisy user held back"]


def test_an_answer_of_another_release_than_was_asked_is_a_failure() -> None:
    samples = [sample()] * 2000 + [sample(code=OTHER_VERSION)]
    assert outcome("mixed-versions", samples) == ["the release that was asked answers"]


def test_a_spike_that_leaves_the_service_slow_is_a_failure() -> None:
    samples = [sample(at / 10) for at in range(170)] + [sample(20, seconds=5.5)]
    assert outcome("spike", samples) == ["p95 after the spike"]


def test_a_ramp_is_judged_up_to_its_knee() -> None:
    plan = Plan("ramp", 2, 10, {}, "out", "command")
    good = [sample(at / 10) for at in range(100)]
    samples = [*good, *(sample(10 + at / 10, code="overloaded") for at in range(100))]
    shape = plan.shape()
    assert shape.users(20, STARTED_AT, samples) is None
    run = run_of(plan, shape=shape, target="here", started_at=STARTED_AT, samples=samples, users=[(0, 2), (20, 3)])
    assert isinstance(shape, Ramp)
    assert run.holds
    assert "up to the knee" in run.judged_are
    assert run.findings["knee"]["users"] == 2
