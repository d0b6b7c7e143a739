"""The one budget of a call."""

from __future__ import annotations

from typing import Any

import pytest

from frond.errors import CloudValidationError
from frond.policy.deadline import Deadline
from tests.unit.sdk.clocks import FakeClock


def test_it_counts_down_and_never_below_nothing() -> None:
    clock = FakeClock()
    deadline = Deadline.after(2, clock)
    clock.advance(0.5)
    assert deadline.remaining() == 1.5
    clock.advance(9)
    assert deadline.remaining() == 0


def test_the_service_is_told_no_more_than_there_is() -> None:
    clock = FakeClock()
    deadline = Deadline.after(1, clock)
    clock.advance(0.0009)
    assert deadline.remaining_ms() == 999


@pytest.mark.parametrize("seconds", [0, -1, 8.01, float("nan"), float("inf"), "8", None])
def test_a_budget_that_is_none_or_above_eight_seconds_is_refused(seconds: Any) -> None:
    with pytest.raises(CloudValidationError) as caught:
        Deadline.after(seconds)
    assert caught.value.code == "timeout_invalid"
