"""The figures of the model card, against hand-computed and brute-force values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.metrics import (
    Bins,
    Floats,
    auroc,
    brier_scores,
    calibration_error,
    classwise_errors,
    confusion,
    equal_mass_bins,
    equal_width_bins,
    negative_log_likelihoods,
    risk_coverage,
)

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
CLASSES = np.array([0, 1])

answers = st.lists(st.tuples(st.floats(0.05, 1), st.booleans()), min_size=1, max_size=80)
scores = st.lists(st.integers(0, 9), min_size=1, max_size=30)


def arrays(drawn: list[tuple[float, bool]]) -> tuple[Floats, Floats]:
    return np.array([confidence for confidence, _ in drawn]), np.array([float(right) for _, right in drawn])


def test_the_likelihood_is_that_of_the_true_class() -> None:
    found = negative_log_likelihoods(np.log(PROBABILITIES), CLASSES)
    assert found == pytest.approx([-np.log(0.7), -np.log(0.3)])


def test_the_brier_score_is_the_squared_distance_to_the_truth() -> None:
    found = brier_scores(np.log(PROBABILITIES), CLASSES)
    assert found == pytest.approx([0.09 + 0.04 + 0.01, 0.01 + 0.49 + 0.36])


def test_the_calibration_error_weighs_each_bins_gap_by_its_photos() -> None:
    confidence, correct = np.array([0.95, 0.95, 0.95, 0.55]), np.array([1.0, 1.0, 0.0, 1.0])
    expected = 3 / 4 * abs(0.95 - 2 / 3) + 1 / 4 * abs(0.55 - 1)
    assert calibration_error(equal_width_bins(confidence, correct)) == pytest.approx(expected)


def test_a_confidence_on_an_edge_counts_to_the_bin_below() -> None:
    bins = equal_width_bins(np.array([0.2, 1.0]), np.array([1.0, 1.0]), bins=5)
    assert bins.upper == pytest.approx([0.2, 1.0])


@pytest.mark.parametrize("binned", [equal_width_bins, equal_mass_bins])
def test_perfectly_calibrated_answers_have_almost_no_error(
    binned: Callable[[Floats, Floats], Bins],
) -> None:
    random = np.random.default_rng(1)
    confidence = random.uniform(0.1, 1, 200_000)
    correct = (random.random(200_000) < confidence).astype(np.float64)
    assert calibration_error(binned(confidence, correct)) < 0.005


@given(answers)
def test_bins_of_equal_mass_differ_by_one_photo_at_most(drawn: list[tuple[float, bool]]) -> None:
    bins = equal_mass_bins(*arrays(drawn))
    assert bins.counts.sum() == len(drawn)
    assert bins.counts.max() - bins.counts.min() <= 1


@given(answers)
def test_bins_keep_the_mean_confidence_and_the_share_right(drawn: list[tuple[float, bool]]) -> None:
    confidence, correct = arrays(drawn)
    for bins in (equal_width_bins(confidence, correct), equal_mass_bins(confidence, correct)):
        assert bins.confidence @ bins.counts == pytest.approx(confidence.sum())
        assert bins.accuracy @ bins.counts == pytest.approx(correct.sum())
        assert (bins.lower <= bins.confidence + 1e-9).all()
        assert (bins.confidence <= bins.upper + 1e-9).all()


@given(answers)
def test_one_bin_gives_the_smallest_calibration_error(drawn: list[tuple[float, bool]]) -> None:
    confidence, correct = arrays(drawn)
    whole = calibration_error(equal_width_bins(confidence, correct, bins=1))
    assert whole <= calibration_error(equal_width_bins(confidence, correct)) + 1e-9


def test_the_classwise_error_is_that_of_each_class_against_the_rest() -> None:
    random = np.random.default_rng(2)
    probabilities = random.dirichlet(np.ones(4) / 2, 300)
    classes = random.integers(4, size=300)
    expected = [
        calibration_error(equal_width_bins(probabilities[:, index], (classes == index).astype(np.float64)))
        for index in range(4)
    ]
    assert classwise_errors(np.log(probabilities), classes) == pytest.approx(expected)


def test_confusion_has_the_truth_in_rows() -> None:
    counts = confusion(np.array([0, 0, 1]), np.array([1, 0, 1]), 3)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


@given(scores, scores)
def test_auroc_is_the_share_of_pairs_in_the_right_order(positives: list[int], negatives: list[int]) -> None:
    pairs = [(positive > negative) + 0.5 * (positive == negative) for positive in positives for negative in negatives]
    found = auroc(np.array(positives, dtype=np.float64), np.array(negatives, dtype=np.float64))
    assert found == pytest.approx(np.mean(pairs))


@given(answers)
def test_the_risk_curve_is_the_share_wrong_among_the_surest(drawn: list[tuple[float, bool]]) -> None:
    curve = risk_coverage(*arrays(drawn))
    surest = sorted(drawn, key=lambda answer: -answer[0])
    expected = [sum(not right for _, right in surest[:count]) / count for count in range(1, len(drawn) + 1)]
    assert curve.risk == pytest.approx(expected)
    assert curve.area == pytest.approx(np.mean(expected))
    assert curve.coverage[-1] == 1
