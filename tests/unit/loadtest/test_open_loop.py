"""Arrivals that wait for nobody, and latency from the moment that was meant."""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
import time

import pytest

from loadtest.asking.answer import NOT_SENT
from loadtest.asking.crowd import Habits, turns_per_second
from loadtest.open_loop.arrivals import arrivals
from loadtest.open_loop.generator import MAX_IN_FLIGHT, generate


def no_loss(code: str) -> None:
    pytest.fail(f"a request was lost: {code}")


def test_constant_arrivals_are_equally_far_apart() -> None:
    assert list(arrivals("constant", 4, 1, random.Random(1))) == [0.25, 0.5, 0.75]


def test_poisson_arrivals_come_at_the_rate_with_gaps_as_wide_as_their_mean() -> None:
    moments = list(arrivals("poisson", 50, 400, random.Random(1)))
    assert len(moments) == pytest.approx(20_000, rel=0.03)
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert statistics.stdev(gaps) == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize(("rate", "seconds"), [(0, 1), (-1, 1), (1, 0)])
def test_a_rate_or_a_time_of_nothing_is_refused(rate: float, seconds: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        arrivals("constant", rate, seconds, random.Random(1))


async def test_nobody_waits_for_the_answer_of_another() -> None:
    answered, everyone_asked = 0, asyncio.Event()
    asked = 0

    async def ask(_: float) -> None:
        nonlocal asked, answered
        asked += 1
        if asked == 20:
            everyone_asked.set()
        await everyone_asked.wait()
        answered += 1

    course = await generate([number / 1000 for number in range(20)], ask, no_loss)
    assert answered == 20
    assert len(course.lateness) == 20


async def test_who_is_sent_late_counts_from_the_moment_that_was_meant() -> None:
    meant: list[float] = []

    async def ask(meant_at: float) -> None:
        meant.append(meant_at)
        if len(meant) == 1:
            time.sleep(0.3)  # noqa: ASYNC251  (the stall)

    course = await generate([0.0, 0.01, 0.02], ask, no_loss)
    assert [round(moment - meant[0], 6) for moment in meant] == [0.0, 0.01, 0.02]
    assert max(course.lateness) > 0.2
    assert not course.verdict().holds


async def test_a_loop_that_is_told_to_end_says_so_and_blames_nobody_for_what_was_in_flight() -> None:
    asked = asyncio.Event()

    async def ask(_: float) -> None:
        asked.set()
        await asyncio.Event().wait()

    generating = asyncio.create_task(generate([0.0, 3600.0], ask, no_loss))
    await asked.wait()
    generating.cancel()
    course = await generating
    assert course.is_cut_short


@pytest.mark.parametrize(
    ("kinds", "turns"), [({"grpc": 1.0}, 20.0), ({"sdk": 1.0}, 16.0), ({"sdk": 4.0, "grpc": 1.0}, 20 / 1.2)]
)
def test_second_sendings_are_part_of_the_rate(kinds: dict[str, float], turns: float) -> None:
    found = turns_per_second(20, kinds, Habits(duplicate_share=0.2))
    assert found == pytest.approx(turns)


async def test_more_than_can_be_in_flight_are_counted_as_not_sent() -> None:
    refused, last_refused = 0, asyncio.Event()

    def refuse(code: str) -> None:
        nonlocal refused
        assert code == NOT_SENT
        refused += 1
        if refused == 3:
            last_refused.set()

    release = asyncio.Event()

    async def ask(_: float) -> None:
        await release.wait()

    generating = asyncio.create_task(generate([0.0] * (MAX_IN_FLIGHT + 3), ask, refuse))
    await asyncio.wait_for(last_refused.wait(), 60)
    release.set()
    await generating
    assert refused == 3
