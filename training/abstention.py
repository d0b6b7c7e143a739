"""When not to answer: three thresholds chosen on calibration photos, and the scores that were compared for them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from preprocess.probability import Logits, leaf_energy, leaf_log_odds, log_probabilities
from training.metrics import Floats, RiskCoverage

LeafScore: TypeAlias = Callable[[Logits, int | None], Floats]
"""Logits [N, C] and the index of the background label → scores [N]; higher means more like a leaf."""

MAX_LEAVES_REFUSED = 0.01  # of the calibration leaves, by either score; leaves room below the 3 % that others may reach
MIN_BACKGROUND_PHOTOS = 10  # with fewer, their mean and deviation say little
TARGET_RISK = 0.01  # of the answers that are not withheld
LEAST_MIN_CONFIDENCE = 0.5  # below one half an answer is more likely wrong than right (Chow 1970, equal costs)
MIN_COVERAGE = 0.8  # a model that answers less often to reach the target risk is of no use

LOG_ODDS_RULE = (
    "As many standard deviations below the mean of the calibration leaves as above that of the calibration photos of "
    f"the background, but never so high that more than {MAX_LEAVES_REFUSED:.0%} of those leaves are refused."
)
ENERGY_RULE = f"The highest that no more than {MAX_LEAVES_REFUSED:.0%} of the calibration leaves fall below."
MIN_CONFIDENCE_RULE = (
    f"The lowest at which no more than {TARGET_RISK:.0%} of the answers given to calibration leaves are wrong, and at "
    f"least {LEAST_MIN_CONFIDENCE}: below one half an answer is more likely wrong than right."
)
MIN_CONFIDENCE_FALLBACK = (
    f"{LEAST_MIN_CONFIDENCE}, below which an answer is more likely wrong than right. The target, no more than "
    f"{TARGET_RISK:.0%} of the answers wrong, cannot be reached while {MIN_COVERAGE:.0%} of the leaves are answered."
)


def highest_probability(logits: Logits, background: int | None) -> Floats:
    """Of any label that is a leaf (Hendrycks and Gimpel 2017)."""
    highest: Floats = _leaves(np.exp(log_probabilities(logits, 1)), background).max(axis=-1)
    return highest


def highest_logit(logits: Logits, background: int | None) -> Floats:
    """Of any label that is a leaf (Hendrycks et al. 2022)."""
    highest: Floats = _leaves(np.asarray(logits, dtype=np.float64), background).max(axis=-1)
    return highest


def log_odds(logits: Logits, background: int | None) -> Floats:
    """Of a leaf against the background; the energy where the model has no such label."""
    return leaf_energy(logits, None) if background is None else leaf_log_odds(logits, background)


LOG_ODDS, ENERGY = "leaf log-odds", "leaf energy"
SCORES: dict[str, LeafScore] = {
    LOG_ODDS: log_odds,
    ENERGY: leaf_energy,
    "highest leaf probability": highest_probability,
    "highest leaf logit": highest_logit,
}


def choose_log_odds(leaves: Logits, others: Logits, background: int | None) -> float | None:
    """The lowest log-odds of a leaf, from the logits of leaves [N, C] and of photos of the background [M, C]: where two
    normal distributions err equally often. None: the model has no such label, or there are too few photos of it."""
    if background is None or len(others) < MIN_BACKGROUND_PHOTOS:
        return None
    inside, outside = leaf_log_odds(leaves, background), leaf_log_odds(others, background)
    equal = float((inside.mean() * outside.std() + outside.mean() * inside.std()) / (inside.std() + outside.std()))
    return _round_down(min(equal, _quantile(inside)))


def choose_energy(leaves: Logits, background: int | None) -> float:
    """The lowest energy of a leaf like the known ones, from the logits of leaves [N, C]."""
    return _round_down(_quantile(leaf_energy(leaves, background)))


def choose_min_confidence(curve: RiskCoverage) -> tuple[float, bool]:
    """The lowest confidence at which at most `TARGET_RISK` of the answers are wrong, and whether there is one.

    `LEAST_MIN_CONFIDENCE` where it is lower, or where the target takes more refusals than `MIN_COVERAGE` allows.
    """
    reached = (curve.risk <= TARGET_RISK) & (curve.coverage >= MIN_COVERAGE)
    if not reached.any():
        return LEAST_MIN_CONFIDENCE, False
    return max(_round_down(float(curve.confidence[reached][-1])), LEAST_MIN_CONFIDENCE), True


def _quantile(scores: Floats) -> float:
    """The score that `MAX_LEAVES_REFUSED` of the leaves fall below, and no more."""
    return float(np.sort(scores)[math.floor(MAX_LEAVES_REFUSED * len(scores))])


def _leaves(values: Floats, background: int | None) -> Floats:
    return values if background is None else np.delete(values, background, axis=-1)


def _round_down(value: float) -> float:
    """To four decimals, so that the photo that set a threshold still passes it."""
    return math.floor(value * 1e4) / 1e4
