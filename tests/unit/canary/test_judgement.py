"""When a canary is worse than the promoted release, and when that is only chance."""

from __future__ import annotations

import random

import pytest

from gateway.canary.judgement import chance, fault_of
from gateway.canary.protocols import Tally


@pytest.mark.parametrize(
    ("canary", "promoted"),
    [
        (Tally(4, failed=4), Tally(200)),  # all of the first ones: it need not go on for long
        (Tally(1000, failed=60), Tally(19_000, failed=40)),
        (Tally(200, abstained=100), Tally(4000, abstained=400)),
        (Tally(100, failed=100), Tally(2000, failed=1000)),  # an outage of everything does not hide it
    ],
)
def test_a_canary_that_does_clearly_worse_is_found(canary: Tally, promoted: Tally) -> None:
    assert fault_of(canary, promoted) is not None


@pytest.mark.parametrize(
    ("canary", "promoted"),
    [
        (Tally(), Tally()),
        (Tally(50, failed=50), Tally()),  # nothing to compare with
        (Tally(1, failed=1), Tally(1000)),  # one failure is none yet
        (Tally(2000, failed=20), Tally(38_000, failed=10)),  # significant, and too little to matter
        (Tally(2000, abstained=300), Tally(38_000, abstained=2000)),  # more careful, within reason
        (Tally(100, failed=98, abstained=1), Tally(2000, failed=1960, abstained=10)),  # both suffer from the same
        (Tally(1000), Tally(19_000, failed=900, abstained=5000)),  # better
    ],
)
def test_what_may_be_chance_or_is_too_small_is_let_pass(canary: Tally, promoted: Tally) -> None:
    assert fault_of(canary, promoted) is None


def test_a_reason_says_the_counts_of_both_sides() -> None:
    assert fault_of(Tally(10, failed=9), Tally(190, failed=1)) == (
        "requests failed or took half of their budget: 9 of 10, promoted: 1 of 190"
    )


def test_the_chance_is_that_of_drawing_from_an_urn() -> None:
    """Fisher's tea: 3 of 4 cups guessed and 1 of 4 not, (16 + 1) of the 70 ways."""
    assert chance(3, 4, 1, 4) == pytest.approx(17 / 70)
    assert chance(0, 4, 1, 4) == pytest.approx(1)


def test_an_equal_release_survives_a_thousand_looks() -> None:
    dice = random.Random(1)
    taken_back = 0
    for _ in range(20):
        canary, promoted = Tally(), Tally()
        for _ in range(300):
            canary = canary.plus(drawn(dice, 5))
            promoted = promoted.plus(drawn(dice, 45))
            if fault_of(canary, promoted):
                taken_back += 1
                break
    assert taken_back == 0


def drawn(dice: random.Random, number: int) -> Tally:
    """Of one interval: three of a hundred fail, a fifth of the answers abstains."""
    failed = sum(dice.random() < 0.03 for _ in range(number))
    return Tally(number, failed, sum(dice.random() < 0.2 for _ in range(number - failed)))
