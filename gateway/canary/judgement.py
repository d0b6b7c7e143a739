"""Is the canary worse than the promoted release? Pure: counts in, a reason out."""

from __future__ import annotations

from math import exp, lgamma
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.canary.protocols import Tally

# A difference must be too large to ignore and too unlikely to be chance. It is looked at again and again, up to a
# thousand times a trial: so unlikely that an equal release is taken back in few of a hundred trials at most.
MAX_CHANCE = 1e-5
FAILURE_MARGIN = 0.02  # of all requests; the callers are answered all the same, by the promoted release
ABSTENTION_MARGIN = 0.10  # of the answers; another release may be more careful, within reason


def fault_of(canary: Tally, promoted: Tally) -> str | None:
    """Why the canary must go, or None as long as nothing is known against it."""
    if is_worse(canary.failed, canary.asked, promoted.failed, promoted.asked, FAILURE_MARGIN):
        shares = f"{canary.failed} of {canary.asked}, promoted: {promoted.failed} of {promoted.asked}"
        return f"requests failed or took half of their budget: {shares}"
    if is_worse(canary.abstained, canary.answered, promoted.abstained, promoted.answered, ABSTENTION_MARGIN):
        shares = f"{canary.abstained} of {canary.answered}, promoted: {promoted.abstained} of {promoted.answered}"
        return f"abstentions: {shares}"
    return None


def is_worse(cases: int, of: int, usual_cases: int, usual_of: int, margin: float) -> bool:
    if of == 0 or usual_of == 0 or cases / of <= usual_cases / usual_of + margin:
        return False
    return chance(cases, of, usual_cases, usual_of) < MAX_CHANCE


def chance(cases: int, of: int, usual_cases: int, usual_of: int) -> float:
    """Of at least so many cases on the first side if both sides were alike: Fisher's exact test, one-sided.

    Exact for the handful of requests that a canary begins with, where an approximation would cry wolf at the first.
    """
    all_cases, total = cases + usual_cases, of + usual_of
    certain = log_choose(total, all_cases)
    possible = range(cases, min(of, all_cases) + 1)
    return sum(exp(log_choose(of, k) + log_choose(usual_of, all_cases - k) - certain) for k in possible)


def log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
