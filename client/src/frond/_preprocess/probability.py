"""Logits → calibrated probabilities, and the energy that tells a leaf from anything else."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Logits: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
"""[..., C]: one number a label, in the order of the release's labels, before softmax."""


def log_probabilities(logits: Logits, temperature: float) -> NDArray[np.float64]:
    """Temperature scaling (Guo et al. 2017): the logarithm of softmax(logits / temperature), [..., C], each ≤ 0."""
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it must be above 0")
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    return scaled - _log_sum_exp(scaled)[..., None]


def aggregate(log_probabilities_by_photo: NDArray[np.float64]) -> NDArray[np.float64]:
    """One opinion from several photos: [n, C] calibrated log-probabilities → [C] probabilities.

    The geometric mean, renormalised (a logarithmic opinion pool, Genest and Zidek 1986): a label that one photo rules
    out is ruled out for the plant, and n equal photos say what one of them says.
    """
    return np.exp(log_probabilities(log_probabilities_by_photo.mean(axis=0), temperature=1))


def leaf_energy(logits: Logits, background: int | None) -> NDArray[np.float64]:
    """The negative energy score (Liu et al. 2020) over the leaf labels, [...]; higher means more like a known leaf.

    `background` is the index of the label for photos without a leaf, which is left out. No temperature: the scale of
    the logits is the signal.
    """
    leaves = np.asarray(logits, dtype=np.float64)
    if background is not None:
        leaves = np.delete(leaves, background, axis=-1)
    return _log_sum_exp(leaves)


def leaf_log_odds(logits: Logits, background: int) -> NDArray[np.float64]:
    """log p(any leaf) / p(background), [...], at temperature 1; higher means more like a leaf, known or not."""
    odds: NDArray[np.float64] = leaf_energy(logits, background) - np.asarray(logits, dtype=np.float64)[..., background]
    return odds


def _log_sum_exp(values: NDArray[np.float64]) -> NDArray[np.float64]:
    highest = values.max(axis=-1, keepdims=True)
    total: NDArray[np.float64] = highest[..., 0] + np.log(np.exp(values - highest).sum(axis=-1))
    return total
