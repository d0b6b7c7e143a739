"""Requests at a given rate, however quickly they are answered: `python -m loadtest.open_loop --rate 40`.

Poisson or constant arrivals against a stack of its own, or the gateway that FROND_URL names; see
docs/guides/load-testing.md. Exit status 0: the objectives hold, 1: they do not.
"""

from __future__ import annotations

import argparse
import random
import shlex
import sys
import time
from typing import TYPE_CHECKING

import uvloop

from loadtest.asking.crowd import Habits, crowd
from loadtest.asking.options import WEIGHTS, add_options, offered, target_of
from loadtest.open_loop.arrivals import arrivals
from loadtest.open_loop.generator import send
from loadtest.report.run import Run
from loadtest.report.writing import folder_of, tell, write

if TYPE_CHECKING:
    from loadtest.asking.answer import Sample
    from loadtest.asking.target import Target


def main(arguments: list[str] | None = None) -> int:
    options = read_options(arguments)
    with target_of({}) as (target, _):
        run = uvloop.run(measure(target, options))
    folder = folder_of("open-loop", options.out)
    write(run, folder)
    tell(run, folder)
    return 0 if run.holds else 1


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, required=True, help="requests a second")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--arrivals", choices=("poisson", "constant"), default="poisson")
    parser.add_argument("--users", type=int, default=100, help="whose turns they are")
    parser.add_argument("--duplicates", type=float, default=0.05, help="share of requests that are sent twice")
    add_options(parser)
    return parser.parse_args(arguments)


async def measure(target: Target, options: argparse.Namespace) -> Run:
    samples: list[Sample] = []
    habits = Habits((options.photo,), duplicate_share=options.duplicates)
    # A request that is sent twice is one arrival and two requests.
    turns = options.rate * (1 - options.duplicates)
    schedule = arrivals(options.arrivals, turns, options.seconds, random.Random())
    async with crowd(target, habits, samples.append) as people:
        started_at = time.time()
        kinds = offered(options.kinds or WEIGHTS, target)
        course = await send(people, schedule, kinds, options.users, samples.append)
    return Run(
        title=f"Open loop, {options.rate:g} requests/s",
        what=f"{options.arrivals.capitalize()} arrivals; latency from the moment a request was meant to be sent.",
        command=shlex.join(["python", "-m", "loadtest.open_loop", *sys.argv[1:]]),
        target=target.url,
        started_at=started_at,
        seconds=options.seconds,
        samples=samples,
        load=course.plot(),
        verdicts=[course.verdict()],
        findings={"rate": options.rate, "arrivals": options.arrivals},
    )


if __name__ == "__main__":
    sys.exit(main())
