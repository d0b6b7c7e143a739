"""The temperature that makes synthetic logits honest again, and the photos on which there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocess.probability import log_probabilities
from training.metrics import Classes, Floats, negative_log_likelihoods
from training.temperature import TemperatureError, fit_temperature


def honest(count: int, seed: int) -> tuple[Floats, Classes]:
    """Logits whose softmax is the chance of each class, and classes drawn from it."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2.5, (count, 6))
    chances = np.exp(log_probabilities(logits, 1))
    return logits, (chances.cumsum(axis=1) > random.random((count, 1))).argmax(axis=1)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.2, 8), st.integers(0, 2**32 - 1))
def test_a_known_temperature_is_recovered(temperature: float, seed: int) -> None:
    logits, classes = honest(4000, seed)
    assert fit_temperature(logits * temperature, classes) == pytest.approx(temperature, rel=0.12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_temperature_nearby_is_better(seed: int) -> None:
    logits, classes = honest(200, seed)
    best = fit_temperature(logits, classes)

    def loss(temperature: float) -> float:
        return float(negative_log_likelihoods(log_probabilities(logits, temperature), classes).mean())

    assert loss(best) <= min(loss(best * 1.02), loss(best / 1.02))


def test_shifted_logits_have_the_same_temperature() -> None:
    logits, classes = honest(300, 9)
    shift = np.random.default_rng(9).normal(0, 50, (300, 1))
    assert fit_temperature(logits + shift, classes) == pytest.approx(fit_temperature(logits, classes), rel=1e-6)


def test_photos_that_are_all_right_have_no_best_temperature() -> None:
    classes = np.arange(60) % 3
    with pytest.raises(TemperatureError, match="answered right"):
        fit_temperature(np.eye(3)[classes], classes)


def test_logits_that_say_nothing_have_no_best_temperature() -> None:
    classes = np.arange(60) % 3
    with pytest.raises(TemperatureError, match="order"):
        fit_temperature(-np.eye(3)[classes], classes)


def test_photos_of_one_label_are_refused() -> None:
    with pytest.raises(TemperatureError, match="one label"):
        fit_temperature(np.ones((60, 3)), np.zeros(60, dtype=np.int64))


def test_too_few_photos_are_refused() -> None:
    logits, classes = honest(29, 1)
    with pytest.raises(TemperatureError, match="29 photos are too few"):
        fit_temperature(logits, classes)


def test_logits_that_are_not_finite_are_refused() -> None:
    logits, classes = honest(50, 1)
    logits[7, 2] = np.nan
    with pytest.raises(TemperatureError, match="not finite"):
        fit_temperature(logits, classes)
