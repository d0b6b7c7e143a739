"""Temperature scaling (Guo et al. 2017): the one number that makes a network's confidence mean what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from preprocess.probability import Logits, log_probabilities
from preprocess.release import MAX_TEMPERATURE, MIN_TEMPERATURE

if TYPE_CHECKING:
    from training.metrics import Classes

MIN_PHOTOS = 30  # with fewer, the temperature's own error is as large as what it mends
HALVINGS = 60  # from 10^4 apart to the last bit


class TemperatureError(Exception):
    """Photos on which no temperature can be fitted; the message says why."""


def fit_temperature(logits: Logits, classes: Classes) -> float:
    """The temperature with the least negative log-likelihood of classes [N] under softmax(logits [N, C] / temperature).

    The likelihood is convex in 1/temperature, so its slope changes sign once and bisection finds where.
    Raises `TemperatureError` where there is no such point between `MIN_TEMPERATURE` and `MAX_TEMPERATURE`.
    """
    if len(classes) < MIN_PHOTOS:
        raise TemperatureError(f"{len(classes)} photos are too few to fit a temperature; {MIN_PHOTOS} are needed.")
    if len(np.unique(classes)) < 2:
        raise TemperatureError("All photos have one label; a temperature needs at least two.")
    exact = np.asarray(logits, dtype=np.float64)
    if not np.isfinite(exact).all():
        raise TemperatureError("The logits of some photos are not finite.")
    flat, sharp = 1 / MAX_TEMPERATURE, 1 / MIN_TEMPERATURE
    if _slope(exact, classes, flat) >= 0:
        raise TemperatureError(
            "The logits say no more than chance about the labels; are the labels in the model's order?"
        )
    if _slope(exact, classes, sharp) <= 0:
        raise TemperatureError("Every photo is answered right, so that no temperature is the best; add harder photos.")
    for _ in range(HALVINGS):
        middle = float(np.sqrt(flat * sharp))
        flat, sharp = (middle, sharp) if _slope(exact, classes, middle) < 0 else (flat, middle)
    return 2 / (flat + sharp)


def _slope(logits: Logits, classes: Classes, inverse: float) -> float:
    """Of the negative log-likelihood by 1/temperature: the logit expected less the logit of the truth, on average."""
    probabilities = np.exp(log_probabilities(logits, 1 / inverse))
    expected = (probabilities * logits).sum(axis=1)
    return float((expected - logits[np.arange(len(classes)), classes]).mean())
