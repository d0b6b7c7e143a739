"""Sends each request at the moment that was meant for it, and counts its latency from there.

A closed loop asks again only when it is answered. When the service stalls, it stops asking: the requests that users
would have sent meanwhile are missing from the figures, and the one that waited is a single bad value among thousands
of good ones. That is coordinated omission (Tene, «How NOT to Measure Latency», 2013). Schroeder, Wierman and
Harchol-Balter («Open Versus Closed: A Cautionary Tale», NSDI 2006) show mean response times that differ by an order of
magnitude between the two at the same load. People with phones are an open system: that others wait keeps nobody from
taking a photo. So arrivals here follow a schedule made beforehand, none waits for an answer, and what begins late
because the generator was busy was late all the same.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loadtest.asking.answer import DEADLINE_SECONDS, NO_ANSWER, NOT_SENT, PATIENCE_SECONDS, Sample
from loadtest.report.objectives import Verdict, duration, percentile
from loadtest.report.run import Line, Plot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadtest.asking.crowd import Crowd, Record

# Beyond it a request is not sent, and counts as failed: the gateway takes 1,000 connections by default.
MAX_IN_FLIGHT = 4000
# A generator that is later than this at its 99th percentile measures itself.
MAX_LATENESS_SECONDS = 0.1
LOOK_SECONDS = 1.0
LAST_SECONDS = 3 * (DEADLINE_SECONDS + PATIENCE_SECONDS)  # two sendings, one after the other, and more

Ask = Callable[[float], Coroutine[None, None, None]]


@dataclass(slots=True)
class Course:
    """How it went: by how many seconds each request was late in leaving, and how many were in flight when.

    `is_cut_short`: it was told to end before all were asked and answered.
    """

    lateness: list[float] = field(default_factory=list)
    in_flight: list[tuple[float, int]] = field(default_factory=list)
    is_cut_short: bool = False

    def verdict(self) -> Verdict:
        """Whether it was the service that was measured."""
        late = percentile(self.lateness, 99)
        wanted = f"p99 ≤ {duration(MAX_LATENESS_SECONDS)}"
        return Verdict("generator on time", wanted, duration(late), holds=late <= MAX_LATENESS_SECONDS)

    def plot(self) -> Plot:
        at, counts = zip(*self.in_flight, strict=True) if self.in_flight else ((), ())
        return Plot("In flight", "requests", [Line("in flight", at, counts)])


async def generate(schedule: Iterable[float], ask: Ask, lost: Callable[[str], None]) -> Course:
    """Ask at each moment of the schedule, which is in order; returns when all are answered or past every patience.

    Cancelled it returns too, with what there was: a request that is cut off is no failure of the service.
    `lost` is told the code of each request of which `ask` will say nothing.
    """
    course, asked = Course(), set[asyncio.Task[None]]()
    started = time.perf_counter()
    looking = asyncio.create_task(_look(course, asked, started))
    try:
        for offset in schedule:
            meant_at = started + offset
            # Nothing to wait for when it is late; but who was asked must get on, too.
            await asyncio.sleep(max(0.0, meant_at - time.perf_counter()))
            course.lateness.append(max(0.0, time.perf_counter() - meant_at))
            if len(asked) >= MAX_IN_FLIGHT:
                lost(NOT_SENT)
                continue
            task = asyncio.create_task(ask(meant_at))
            asked.add(task)
            task.add_done_callback(asked.discard)
        if asked:
            await asyncio.wait(asked, timeout=LAST_SECONDS)
        for _ in asked:
            lost(NO_ANSWER)
    except asyncio.CancelledError:
        course.is_cut_short = True
    finally:
        looking.cancel()
        for task in list(asked):
            task.cancel()
        await asyncio.gather(looking, *asked, return_exceptions=True)
    return course


async def send(
    crowd: Crowd, schedule: Iterable[float], kinds: Mapping[str, float], users: int, record: Record
) -> Course:
    """Turns of so many users, kinds by weight. Raises what a turn raised."""
    failures: list[BaseException] = []
    names, weights = list(kinds), list(kinds.values())
    turns = itertools.cycle(range(users))

    async def ask(meant_at: float) -> None:
        (kind,) = random.choices(names, weights)
        try:
            await crowd.take_turn(kind, f"open-{next(turns)}", meant_at=meant_at)
        except Exception as error:  # noqa: BLE001  (raised below: a defect of ours must not pass for silence)
            failures.append(error)

    course = await generate(schedule, ask, lambda code: record(Sample(time.time(), 0.0, "any", code)))
    if failures:
        raise failures[0]
    return course


async def _look(course: Course, asked: set[asyncio.Task[None]], started: float) -> None:
    while True:
        course.in_flight.append((time.perf_counter() - started, len(asked)))
        await asyncio.sleep(LOOK_SECONDS)
