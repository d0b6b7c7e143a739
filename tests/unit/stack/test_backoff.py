"""The wait before a part is started again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stack.backoff import LONGEST_SECONDS, delay_seconds


def test_the_first_failure_costs_no_wait() -> None:
    assert delay_seconds(1) == 0


@given(st.integers(2, 10_000))
def test_each_further_failure_doubles_the_wait_up_to_the_limit(failures: int) -> None:
    wait = delay_seconds(failures)
    assert 0 < wait <= LONGEST_SECONDS
    assert delay_seconds(failures + 1) == min(LONGEST_SECONDS, 2 * wait)
