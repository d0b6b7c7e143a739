"""The one time budget of a request."""

from __future__ import annotations

import pytest

from gateway.deadline import MAX_CALLER_SECONDS, Deadline
from gateway.errors import DeadlineError, InvalidHeaderError


@pytest.mark.parametrize("value", ["", " 5", "-1", "+1", "1e3", "0x10", "1.0", "٣", "9" * 10])
def test_a_budget_that_is_no_whole_number_is_refused(value: str) -> None:
    with pytest.raises(InvalidHeaderError):
        Deadline.from_header(value)


@pytest.mark.parametrize(
    ("value", "seconds"), [("1500", 1.5), ("999999999", MAX_CALLER_SECONDS), (None, MAX_CALLER_SECONDS)]
)
def test_a_budget_counts_from_now_and_is_capped(value: str | None, seconds: float) -> None:
    assert Deadline.from_header(value).remaining() == pytest.approx(seconds, abs=0.1)


def test_a_spent_budget_is_a_timeout() -> None:
    with pytest.raises(DeadlineError):
        Deadline.from_header("0").remaining()


@pytest.mark.parametrize(("first", "second", "expected"), [(1, 5, 1), (5, 1, 1)])
def test_the_sooner_of_two_deadlines_counts(first: float, second: float, expected: float) -> None:
    assert Deadline.after(first).within(second).remaining() == pytest.approx(expected, abs=0.1)
