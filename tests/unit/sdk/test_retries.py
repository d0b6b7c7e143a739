"""Whether a failed attempt is made once more, and after how long."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frond.errors import (
    CloudAuthError,
    CloudInferenceError,
    CloudNetworkError,
    CloudServerError,
    CloudTimeoutError,
    CloudValidationError,
)
from frond.policy.deadline import Deadline
from frond.policy.retry import RetryPolicy
from tests.unit.sdk.clocks import FakeClock

ROUNDING = 1e-9  # of the clock, which counts from 1000 s


def deadline(seconds: float = 8) -> Deadline:
    return Deadline.after(seconds, FakeClock())


def server_error(retry_after: float | None = None) -> CloudServerError:
    return CloudServerError("out", code="triton_unavailable", retryable=True, retry_after=retry_after)


@pytest.mark.parametrize("error", [CloudAuthError, CloudTimeoutError, CloudValidationError])
def test_a_category_that_cannot_get_better_is_final_even_if_it_says_that_it_can(
    error: type[CloudInferenceError],
) -> None:
    assert RetryPolicy().delay(error("no", code="x", retryable=True), 1, deadline()) is None


@pytest.mark.parametrize("error", [CloudServerError, CloudNetworkError])
def test_a_server_or_network_error_is_retried_only_if_it_is_retryable(error: type[CloudInferenceError]) -> None:
    assert RetryPolicy().delay(error("no", code="x", retryable=True), 1, deadline()) is not None
    assert RetryPolicy().delay(error("no", code="x", retryable=False), 1, deadline()) is None


def test_the_last_attempt_is_the_last() -> None:
    policy = RetryPolicy(max_attempts=3)
    assert policy.delay(server_error(), 2, deadline()) is not None
    assert policy.delay(server_error(), 3, deadline()) is None


def test_the_random_wait_doubles_up_to_its_cap() -> None:
    policy = RetryPolicy(max_attempts=9, base_seconds=0.2, cap_seconds=1, draw=lambda: 0.5)
    assert [policy.delay(server_error(), attempt, deadline()) for attempt in (1, 2, 3, 4, 5)] == [
        0.1,
        0.2,
        0.4,
        0.5,
        0.5,
    ]


def test_what_the_service_asks_for_is_waited_in_full() -> None:
    assert RetryPolicy(draw=lambda: 0.0).delay(server_error(1.5), 1, deadline()) == 1.5


def test_a_wait_that_leaves_no_time_for_an_attempt_is_not_begun() -> None:
    policy = RetryPolicy(draw=lambda: 0.0, min_useful_seconds=0.2)
    assert policy.delay(server_error(1.5), 1, deadline(1.8)) == 1.5
    assert policy.delay(server_error(1.5), 1, deadline(1.6)) is None


def attempts_within(seconds: float, draw: Callable[[], float]) -> list[float]:
    """When each is begun, of a service that refuses every one at once."""
    clock, policy = FakeClock(), RetryPolicy(draw=draw)
    deadline, begun = Deadline.after(seconds, clock), [clock()]
    while (delay := policy.delay(server_error(), len(begun), deadline)) is not None:
        clock.advance(delay)
        begun.append(clock())
    return [moment - begun[0] for moment in begun]


@pytest.mark.parametrize("seed", range(20))
def test_a_service_that_is_started_anew_is_waited_for_and_not_hammered(seed: int) -> None:
    begun = attempts_within(8, random.Random(seed).random)
    assert begun[-1] > 4
    assert len(begun) <= RetryPolicy().max_attempts


def test_attempts_go_on_until_the_budget_is_used_up() -> None:
    begun = attempts_within(8, lambda: 0.5)
    assert len(begun) == 11
    assert 6.5 < begun[-1] < 7.8


@given(
    draw=st.floats(0, 1, exclude_max=True),
    attempt=st.integers(1, 20),
    retry_after=st.none() | st.floats(0, 100),
    budget=st.floats(0.001, 8),
)
def test_no_wait_is_shorter_than_asked_or_longer_than_the_budget(
    draw: float, attempt: int, retry_after: float | None, budget: float
) -> None:
    policy = RetryPolicy(max_attempts=21, draw=lambda: draw)
    delay = policy.delay(server_error(retry_after), attempt, deadline(budget))
    assert delay is None or (retry_after or 0) <= delay <= budget - policy.min_useful_seconds + ROUNDING


@pytest.mark.parametrize("changes", [{"max_attempts": 0}, {"base_seconds": -1.0}, {"cap_seconds": -1.0}])
def test_a_policy_that_makes_no_sense_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="max_attempts"):
        RetryPolicy(**changes)  # type: ignore[arg-type]
