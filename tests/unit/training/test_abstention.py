"""The thresholds keep what their rules promise on the photos they were chosen on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocess.probability import leaf_energy, leaf_log_odds
from training.abstention import (
    LEAST_MIN_CONFIDENCE,
    MAX_LEAVES_REFUSED,
    SCORES,
    TARGET_RISK,
    choose_energy,
    choose_log_odds,
    choose_min_confidence,
)
from training.metrics import Floats, risk_coverage

BACKGROUND = 2


def drawn(seed: int, leaves: int, others: int = 40) -> tuple[Floats, Floats]:
    """Logits of leaves, mostly for label 0, and of photos without one, mostly for the background."""
    random = np.random.default_rng(seed)
    return random.normal([6, 0, 0, 0, 0], 1, (leaves, 5)), random.normal([0, 0, 5, 0, 0], 2, (others, 5))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(100, 600))
def test_the_lowest_energy_refuses_as_many_leaves_as_it_may_and_no_more(seed: int, count: int) -> None:
    leaves, _ = drawn(seed, count)
    lowest = choose_energy(leaves, BACKGROUND)
    energies = leaf_energy(leaves, BACKGROUND)
    assert (energies < lowest).mean() <= MAX_LEAVES_REFUSED < (energies < lowest + 1e-3).mean()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_lowest_log_odds_lie_between_the_leaves_and_the_background(seed: int) -> None:
    leaves, others = drawn(seed, 300)
    lowest = choose_log_odds(leaves, others, BACKGROUND)
    assert lowest is not None
    assert leaf_log_odds(others, BACKGROUND).mean() < lowest < leaf_log_odds(leaves, BACKGROUND).mean()
    assert (leaf_log_odds(leaves, BACKGROUND) < lowest).mean() <= MAX_LEAVES_REFUSED


def test_the_lowest_log_odds_are_as_many_deviations_from_either_side() -> None:
    leaves, others = drawn(1, 400)
    lowest = choose_log_odds(leaves, others, BACKGROUND)
    assert lowest is not None
    above, below = leaf_log_odds(leaves, BACKGROUND), leaf_log_odds(others, BACKGROUND)
    assert (above.mean() - lowest) / above.std() == pytest.approx((lowest - below.mean()) / below.std(), abs=1e-3)


def test_log_odds_are_not_used_without_a_background_label_or_with_few_photos_of_it() -> None:
    leaves, others = drawn(1, 200, 9)
    assert choose_log_odds(leaves, others, BACKGROUND) is None
    assert choose_log_odds(leaves, others, None) is None


@pytest.mark.parametrize("name", SCORES)
def test_every_score_puts_a_leaf_above_a_background(name: str) -> None:
    leaf, background = np.array([[9.0, 0, 0, 0]]), np.array([[0.0, 0, 9, 0]])
    assert SCORES[name](leaf, BACKGROUND)[0] > SCORES[name](background, BACKGROUND)[0]


@given(st.integers(0, 2**32 - 1))
def test_answers_above_the_lowest_confidence_are_as_often_right_as_promised(seed: int) -> None:
    random = np.random.default_rng(seed)
    confidence = random.uniform(0.3, 1, 500) ** 0.2
    correct = (random.random(500) < confidence).astype(np.float64)
    lowest, reached = choose_min_confidence(risk_coverage(confidence, correct))
    assert lowest >= LEAST_MIN_CONFIDENCE
    assert not reached or (1 - correct[confidence >= lowest]).mean() <= TARGET_RISK + 1 / 500


def test_a_model_that_is_always_right_answers_down_to_one_half() -> None:
    assert choose_min_confidence(risk_coverage(np.linspace(0.2, 1, 50), np.ones(50))) == (LEAST_MIN_CONFIDENCE, True)


def test_a_model_that_is_often_wrong_is_said_to_miss_the_target() -> None:
    correct = np.arange(50) % 2.0
    assert choose_min_confidence(risk_coverage(np.linspace(0.2, 1, 50), correct)) == (LEAST_MIN_CONFIDENCE, False)
