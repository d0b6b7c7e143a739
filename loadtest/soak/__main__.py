"""At 70 % of what a stack of its own can do, in an open loop, for long: `python -m loadtest.soak --minutes 30`.

Measures the capacity first, in a closed loop (or takes `--rate`). Memory, open files, connections, shared memory and
latency must not grow, Python processes of Triton must not die unanswered for. Exit status 0: so it was, 1: not,
130: it was cut short.
"""

from __future__ import annotations

import asyncio
import random
import shlex
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import uvloop

from loadtest import arguments, ending
from loadtest.asking.crowd import Habits, crowd, turns_per_second
from loadtest.asking.options import WEIGHTS, add_options, own_target
from loadtest.open_loop.arrivals import arrivals
from loadtest.open_loop.generator import send
from loadtest.report.objectives import Verdict, errors
from loadtest.report.run import Run
from loadtest.report.writing import folder_of, publish, until
from loadtest.soak.watch import MIN_SECONDS, Watch, latency, plots, trends, verdict

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from loadtest.asking.answer import Sample
    from loadtest.asking.target import Target

LOAD_SHARE = 0.7
CONCURRENCY = 16  # of the measured capacity: enough that Triton's batches are full
CAPACITY_SECONDS = 20.0
SETTLING_SECONDS = 5.0


def main() -> int:
    options = read_options()
    if 60 * options.minutes < MIN_SECONDS:
        print(f"Below {MIN_SECONDS / 60:g} minutes it only warms up: what grows will not be known.", flush=True)
    with own_target({}) as (target, paths, state):
        run = uvloop.run(soak(target, Watch(paths, state.database_url, options.look_seconds), options))
    return publish(run, folder_of("soak", options.out))


def read_options() -> argparse.Namespace:
    parser = arguments.parser("loadtest.soak", __doc__)
    parser.add_argument("--minutes", type=arguments.positive, default=30)
    parser.add_argument(
        "--rate", type=arguments.positive, help="requests a second; else 70 %% of what is measured first"
    )
    parser.add_argument("--look-seconds", type=arguments.positive, default=5, help="between two looks at the stack")
    parser.add_argument(
        "--duplicates", type=arguments.second_sendings, default=0.05, help="share of requests that are second sendings"
    )
    add_options(parser)
    return parser.parse_args()


async def soak(target: Target, watch: Watch, options: argparse.Namespace) -> Run:
    kinds = options.kinds or WEIGHTS
    seconds = 60 * options.minutes
    habits = Habits((options.photo,), duplicate_share=options.duplicates)
    rate = options.rate or LOAD_SHARE * await capacity(target, habits, kinds)
    samples: list[Sample] = []
    schedule = arrivals("poisson", turns_per_second(rate, kinds, habits), seconds, random.Random())
    print(f"{rate:.1f} requests/s {until(seconds)} …", flush=True)
    async with crowd(target, habits, samples.append) as people:
        started_at, looking = time.time(), asyncio.create_task(watch.look())
        course = await send(people, schedule, kinds, 200, samples.append)
        looking.cancel()
        if isinstance(failure := (await asyncio.gather(looking, return_exceptions=True))[0], Exception):
            raise failure
    seconds = time.time() - started_at if course.is_cut_short else seconds
    lines = [*watch.lines(), *latency(samples, started_at, seconds)]
    found = trends(lines, seconds)
    return Run(
        title=f"Soak: {options.minutes:g} minutes at {rate:.0f} requests/s",
        what="Poisson arrivals; what the stack holds of the machine, and whether it grows (slope by Theil and Sen).",
        command=shlex.join(["python", "-m", "loadtest.soak", *sys.argv[1:]]),
        target="a stack of its own",
        started_at=started_at,
        seconds=seconds,
        samples=samples,
        load=course.plot(),
        verdicts=[course.verdict(), survived(watch, samples), *(verdict(name, each) for name, each in found.items())],
        findings={"rate": rate, "trends": {name: asdict(each) for name, each in found.items()}},
        plots=plots(watch.lines()),
        is_cut_short=course.is_cut_short,
    )


def survived(watch: Watch, samples: Sequence[Sample]) -> Verdict:
    """A process that ended is no failure if the requests were answered all the same, by another or after a retry."""
    measured = f"{watch.stub_ends} Python stubs ended, {watch.restarts} parts restarted"
    is_unbroken = not watch.stub_ends and not watch.restarts
    return Verdict("processes", "none ended, or survived", measured, holds=is_unbroken or errors(samples).holds)


async def capacity(target: Target, habits: Habits, kinds: Mapping[str, float]) -> float:
    """Answers a second in a closed loop, once it has settled."""
    samples: list[Sample] = []
    names, weights = list(kinds), list(kinds.values())
    began = time.time()
    end = began + SETTLING_SECONDS + CAPACITY_SECONDS
    print(f"Measuring the capacity, {CONCURRENCY} requests in flight …", flush=True)
    async with crowd(target, habits, samples.append) as people:

        async def ask(user: str) -> None:
            while time.time() < end:
                await people.take_turn(random.choices(names, weights)[0], user)

        await asyncio.gather(*(ask(f"capacity-{number}") for number in range(CONCURRENCY)))
    counted = [each for each in samples if each.is_ok and began + SETTLING_SECONDS <= each.ended_at < end]
    found = len(counted) / CAPACITY_SECONDS
    print(f"It answers {found:.1f} requests/s.", flush=True)
    return found


if __name__ == "__main__":
    ending.run(main)
