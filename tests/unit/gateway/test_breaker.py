"""The circuit breaker: what opens it, and that only a probe closes it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.inference.breaker import (
    FIRST_PAUSE_SECONDS,
    MAX_PAUSE_SECONDS,
    MAX_REFUSALS,
    MAX_SLOW,
    QUIET_SECONDS,
    SIGNS_OF_LIFE,
    SILENT_SECONDS,
    Breaker,
    State,
)
from gateway.inference.outcomes import Outcome

NEUTRAL = [Outcome.LATE, Outcome.UNSERVED, Outcome.OVERLOADED, Outcome.CANCELLED]


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def breaker_at(clock: Clock | None = None) -> Breaker:
    return Breaker(clock or Clock())


def opened(clock: Clock | None = None) -> Breaker:
    breaker = breaker_at(clock)
    for _ in range(MAX_REFUSALS):
        breaker.record(Outcome.REFUSED)
    assert breaker.state is State.OPEN
    return breaker


@pytest.mark.parametrize(
    ("outcome", "number", "reason"),
    [
        (Outcome.REFUSED, MAX_REFUSALS, "refused"),
        (Outcome.FAILED, MAX_REFUSALS, "refused"),
        (Outcome.SLOW, MAX_SLOW, "slow"),
    ],
)
def test_the_last_of_a_row_opens_it_and_says_why(outcome: Outcome, number: int, reason: str) -> None:
    breaker = breaker_at()
    assert [breaker.record(outcome) for _ in range(number)] == [False] * (number - 1) + [True]
    assert (breaker.state, breaker.reason) == (State.OPEN, reason)


def test_refusals_and_slow_calls_are_counted_apart() -> None:
    breaker = breaker_at()
    for outcome in [Outcome.REFUSED] * (MAX_REFUSALS - 1) + [Outcome.SLOW] * (MAX_SLOW - 1):
        assert not breaker.record(outcome)
    assert breaker.record(Outcome.REFUSED)


@pytest.mark.parametrize("sign", sorted(SIGNS_OF_LIFE))
def test_a_sign_of_life_begins_the_count_anew(sign: Outcome) -> None:
    breaker = breaker_at()
    for outcome in ([Outcome.REFUSED] * (MAX_REFUSALS - 1) + [sign]) * 3:
        assert not breaker.record(outcome)


def test_a_batch_that_passes_its_deadline_while_others_are_answered_is_overload_and_no_hang() -> None:
    clock = Clock()
    breaker = breaker_at(clock)
    breaker.record(Outcome.ANSWERED)
    assert not any(breaker.record(Outcome.SLOW) for _ in range(8))
    clock.now += SILENT_SECONDS
    assert breaker.record(Outcome.SLOW)
    assert breaker.reason == "slow"


@given(st.lists(st.sampled_from(NEUTRAL)))
def test_what_says_nothing_of_the_address_never_opens_it(outcomes: list[Outcome]) -> None:
    breaker = breaker_at()
    assert not any(breaker.record(outcome) for outcome in outcomes)


def test_one_suspicion_is_looked_into_at_once_and_a_refused_probe_settles_it() -> None:
    clock = Clock()
    breaker = breaker_at(clock)
    breaker.record(Outcome.ANSWERED)
    assert breaker.seconds_to_probe == QUIET_SECONDS
    breaker.record(Outcome.REFUSED)
    assert breaker.seconds_to_probe == 0
    breaker.begin_probe()
    assert breaker.end_probe(Outcome.REFUSED)
    assert breaker.state is State.OPEN


def test_an_answer_that_comes_after_it_opened_does_not_close_it() -> None:
    breaker = opened()
    breaker.record(Outcome.ANSWERED)
    assert breaker.state is State.OPEN


def test_a_release_that_is_not_loaded_is_no_fault_of_the_address() -> None:
    breaker = opened()
    breaker.begin_probe()
    breaker.end_probe(Outcome.UNSERVED)
    assert breaker.state is State.CLOSED


def test_the_pauses_between_probes_grow_up_to_a_second_and_begin_anew_after_a_success() -> None:
    clock = Clock()
    breaker = opened(clock)
    pauses = []
    for _ in range(8):
        clock.now += breaker.seconds_to_probe
        breaker.begin_probe()
        breaker.end_probe(Outcome.REFUSED)
        pauses.append(breaker.seconds_to_probe)
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(MAX_PAUSE_SECONDS)
    breaker.begin_probe()
    breaker.end_probe(Outcome.ANSWERED)
    for _ in range(MAX_REFUSALS):
        breaker.record(Outcome.REFUSED)
    assert breaker.seconds_to_probe == pytest.approx(FIRST_PAUSE_SECONDS)


class Course(RuleBasedStateMachine):
    """Any sequence of calls and probes, against what a reader would say of it."""

    @initialize()
    def begin(self) -> None:
        self.clock = Clock()
        self.breaker = Breaker(self.clock)
        self.is_probing = False
        self.bad_since_sign = 0

    @rule(seconds=st.integers(0, 20))
    def time_passes(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule(outcome=st.sampled_from(list(Outcome)))
    def a_call_ends(self, outcome: Outcome) -> None:
        before = self.breaker.state
        has_opened = self.breaker.record(outcome)
        if before is State.CLOSED:
            self.bad_since_sign = 0 if outcome in SIGNS_OF_LIFE else self.bad_since_sign + 1
            assert has_opened == (self.breaker.state is State.OPEN)
            assert not has_opened or self.bad_since_sign >= min(MAX_REFUSALS, MAX_SLOW)
        else:
            assert not has_opened
            assert self.breaker.state is before

    @precondition(lambda self: not self.is_probing)
    @rule()
    def a_probe_begins(self) -> None:
        before = self.breaker.state
        self.breaker.begin_probe()
        self.is_probing = True
        assert self.breaker.state is (State.HALF_OPEN if before is State.OPEN else before)

    @precondition(lambda self: self.is_probing)
    @rule(outcome=st.sampled_from(list(Outcome)))
    def a_probe_ends(self, outcome: Outcome) -> None:
        self.breaker.end_probe(outcome)
        self.is_probing = False
        if outcome in SIGNS_OF_LIFE:
            assert self.breaker.state is State.CLOSED
            self.bad_since_sign = 0
        elif outcome is not Outcome.UNSERVED:
            self.bad_since_sign += 1

    @invariant()
    def it_is_half_open_only_while_probed_and_always_probed_again(self) -> None:
        assert self.breaker.state is not State.HALF_OPEN or self.is_probing
        assert self.breaker.seconds_to_probe <= QUIET_SECONDS
        if self.breaker.state is State.OPEN:
            assert self.breaker.seconds_to_probe <= MAX_PAUSE_SECONDS
        assert (self.breaker.reason is None) == (self.breaker.state is State.CLOSED)


TestCourse = Course.TestCase
