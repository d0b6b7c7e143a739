"""Latencies become figures: nearest-rank percentiles, and photos a second."""

from __future__ import annotations

import pytest

from loadtest.gpu.load import spread
from loadtest.gpu.timing import Timing, percentile, repeat


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(share: float, expected: int) -> None:
    assert percentile(range(1, 101), share) == expected


def test_of_one_value_every_percentile_is_that_value() -> None:
    assert {percentile([7.0], share) for share in (0.0, 0.5, 0.99)} == {7.0}


def test_the_order_in_which_answers_came_does_not_matter() -> None:
    assert Timing.of([0.003, 0.001, 0.002], seconds=1) == Timing(rate=3.0, p50_ms=2.0, p99_ms=3.0)


def test_a_run_of_a_batch_counts_all_its_photos() -> None:
    assert Timing.of([0.5, 0.5], seconds=2, photos_each=64).rate == 64


def test_a_time_in_which_nothing_ended_has_no_figures() -> None:
    with pytest.raises(ValueError, match="measure for longer"):
        Timing.of([], seconds=0.1)


def test_work_is_repeated_until_the_time_is_over_and_its_first_turn_is_not_counted() -> None:
    turns: list[int] = []
    latencies, spent = repeat(lambda: turns.append(1), seconds=0.01)
    assert len(latencies) == len(turns) - 1 > 0
    assert spent >= 0.01


@pytest.mark.parametrize(
    ("concurrency", "processes", "shares"), [(8, 3, [3, 3, 2]), (1, 4, [1]), (4, 4, [1, 1, 1, 1]), (5, 1, [5])]
)
def test_a_load_is_spread_evenly_and_no_process_is_idle(concurrency: int, processes: int, shares: list[int]) -> None:
    assert spread(concurrency, processes) == shares
