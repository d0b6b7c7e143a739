"""Temperature scaling, aggregation and the energy score."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocess.probability import aggregate, leaf_energy, leaf_log_odds, log_probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

FINITE = st.floats(-200, 200, width=32)
LOGITS = st.lists(FINITE, min_size=2, max_size=12).map(lambda values: np.array(values, dtype=np.float32))


def test_at_temperature_one_it_is_softmax() -> None:
    probabilities = np.exp(log_probabilities(np.array([0.0, math.log(3)]), 1))
    assert probabilities == pytest.approx([0.25, 0.75])


def test_a_temperature_of_two_takes_the_square_root_of_the_odds() -> None:
    probabilities = np.exp(log_probabilities(np.array([0.0, math.log(9)]), 2))
    assert probabilities == pytest.approx([0.25, 0.75])


@given(LOGITS, st.floats(0.05, 20))
def test_probabilities_sum_to_one_and_keep_the_order_of_the_logits(
    logits: NDArray[np.float32], temperature: float
) -> None:
    logs = log_probabilities(logits, temperature)
    assert np.exp(logs).sum() == pytest.approx(1)
    assert logs.max() <= 0
    assert logs[logits.argmax()] == logs.max()


@pytest.mark.parametrize("logits", [[1e38, -1e38, 0], [-1e38, -1e38, -1e38], [88.8, 1000.0, -1000.0]])
def test_extreme_logits_neither_overflow_nor_become_nothing(logits: list[float]) -> None:
    logs = log_probabilities(np.array(logits, dtype=np.float32), 0.01)
    assert np.isfinite(logs).all()
    assert np.isfinite(aggregate(np.stack([logs, logs]))).all()


@pytest.mark.parametrize("temperature", [0, -1, math.nan])
def test_a_temperature_that_is_not_positive_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature"):
        log_probabilities(np.zeros(3), temperature)


def test_whole_batches_are_scaled_at_once() -> None:
    logits = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
    assert log_probabilities(logits, 1.3)[1] == pytest.approx(log_probabilities(logits[1], 1.3))
    assert leaf_energy(logits, 2).shape == (3,)


@given(LOGITS, st.integers(1, 8))
def test_equal_photos_say_together_what_one_of_them_says(logits: NDArray[np.float32], photos: int) -> None:
    logs = log_probabilities(logits, 1)
    assert aggregate(np.stack([logs] * photos)) == pytest.approx(np.exp(logs))


def test_aggregation_is_the_renormalised_geometric_mean() -> None:
    first, second = np.array([0.9, 0.1]), np.array([0.5, 0.5])
    means = np.sqrt(first * second)
    assert aggregate(np.log(np.stack([first, second]))) == pytest.approx(means / means.sum())


def test_the_order_of_the_photos_does_not_matter() -> None:
    logs = log_probabilities(np.random.default_rng(2).normal(size=(4, 6)), 1)
    assert aggregate(logs) == pytest.approx(aggregate(logs[::-1]))


def test_leaf_energy_is_the_log_sum_of_the_leaf_labels() -> None:
    logits = np.log(np.array([2.0, 100.0, 3.0]))
    assert leaf_energy(logits, 1) == pytest.approx(math.log(5))
    assert leaf_energy(logits, None) == pytest.approx(math.log(105))


def test_leaf_log_odds_compare_the_leaves_with_the_background() -> None:
    assert leaf_log_odds(np.log(np.array([2.0, 100.0, 3.0])) + 7, 1) == pytest.approx(math.log(5 / 100))


def test_the_background_does_not_raise_the_leaf_energy() -> None:
    quiet, loud = np.array([1.0, 2.0, -50.0]), np.array([1.0, 2.0, 50.0])
    assert leaf_energy(quiet, 2) == leaf_energy(loud, 2)
