"""Intervals that contain the truth as often as they say, and know that photos of one leaf are not independent."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.bootstrap import bootstrap, wilson
from training.metrics import Classes, Floats, calibration_error, equal_width_bins

TRIALS = 120


def mean_of(values: Floats, groups: Classes, replicates: int = 300) -> tuple[float, float]:
    estimate = bootstrap(lambda indices: np.array([values[indices].mean()]), groups, 7, replicates).percentile(0)
    return estimate.low, estimate.high


def error_of(confidence: Floats, correct: Floats, indices: Classes) -> Floats:
    return np.array([calibration_error(equal_width_bins(confidence[indices], correct[indices]))])


def test_an_interval_of_a_mean_contains_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    hits = 0
    for _ in range(TRIALS):
        low, high = mean_of((random.random(200) < 0.8).astype(np.float64), np.arange(200))
        hits += low <= 0.8 <= high
    assert 0.88 <= hits / TRIALS <= 1


def test_an_interval_of_a_calibration_error_mostly_contains_the_truth() -> None:
    random = np.random.default_rng(4)
    hits = 0
    for _ in range(TRIALS):
        confidence = random.uniform(0.5, 1, 400)
        correct = (random.random(400) < confidence - 0.1).astype(np.float64)
        estimate = bootstrap(partial(error_of, confidence, correct), np.arange(400), 7, 200).pivotal(0)
        hits += estimate.low <= 0.1 <= estimate.high
    assert hits / TRIALS >= 0.88


def test_copies_of_a_photo_make_an_interval_no_narrower() -> None:
    values = (np.random.default_rng(5).random(60) < 0.7).astype(np.float64)
    low, high = mean_of(values, np.arange(60))
    copied_low, copied_high = mean_of(np.repeat(values, 9), np.repeat(np.arange(60), 9))
    assert copied_high - copied_low == pytest.approx(high - low)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(6).random(50)
    assert mean_of(values, np.arange(50)) == mean_of(values, np.arange(50))


def test_groups_may_have_any_numbers() -> None:
    values = np.random.default_rng(8).random(30)
    assert mean_of(values, np.arange(30) * 100 + 5) == mean_of(values, np.arange(30))


def test_a_share_on_which_all_agree_still_has_a_width() -> None:
    drawn = bootstrap(lambda _: np.array([1.0]), np.arange(20), 7, 50)
    assert drawn.share(0, 20).low == pytest.approx(0.8389, abs=1e-4)


@given(st.integers(1, 500).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_wilsons_interval_contains_its_share_and_stays_within_0_and_1(drawn: tuple[int, int]) -> None:
    right, count = drawn
    estimate = wilson(right / count, count)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.low < estimate.high


def test_wilsons_interval_is_that_of_the_textbook() -> None:
    estimate = wilson(0.5, 100)
    assert (estimate.low, estimate.high) == pytest.approx((0.4038, 0.5962), abs=1e-4)
