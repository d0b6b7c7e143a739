"""Requests at a given rate, however quickly they are answered: `python -m loadtest.open_loop --rate 40`.

Poisson or constant arrivals against a stack of its own, or the gateway that FROND_URL names; see
docs/guides/load-testing.md. Exit status 0: the objectives hold, 1: they do not, 130: it was cut short.
"""

from __future__ import annotations

import random
import shlex
import sys
import time
from typing import TYPE_CHECKING

import uvloop

from loadtest import arguments, ending
from loadtest.asking.crowd import Habits, crowd, turns_per_second
from loadtest.asking.options import WEIGHTS, add_options, offered, target_of
from loadtest.open_loop.arrivals import arrivals
from loadtest.open_loop.generator import send
from loadtest.report.run import Run
from loadtest.report.writing import folder_of, publish, until

if TYPE_CHECKING:
    import argparse

    from loadtest.asking.answer import Sample
    from loadtest.asking.target import Target


def main() -> int:
    options = read_options()
    with target_of({}) as (target, _):
        run = uvloop.run(measure(target, options))
    return publish(run, folder_of("open-loop", options.out))


def read_options() -> argparse.Namespace:
    parser = arguments.parser("loadtest.open_loop", __doc__)
    parser.add_argument("--rate", type=arguments.positive, required=True, help="requests a second")
    parser.add_argument("--seconds", type=arguments.positive, default=60)
    parser.add_argument("--arrivals", choices=("poisson", "constant"), default="poisson")
    parser.add_argument("--users", type=arguments.whole, default=100, help="whose turns they are")
    parser.add_argument(
        "--duplicates", type=arguments.second_sendings, default=0.05, help="share of requests that are second sendings"
    )
    add_options(parser)
    return parser.parse_args()


async def measure(target: Target, options: argparse.Namespace) -> Run:
    samples: list[Sample] = []
    habits = Habits((options.photo,), duplicate_share=options.duplicates)
    kinds = offered(options.kinds or WEIGHTS, target)
    turns = turns_per_second(options.rate, kinds, habits)
    schedule = arrivals(options.arrivals, turns, options.seconds, random.Random())
    async with crowd(target, habits, samples.append) as people:
        started_at = time.time()
        print(f"{options.rate:g} requests/s {until(options.seconds)} …", flush=True)
        course = await send(people, schedule, kinds, options.users, samples.append)
    return Run(
        title=f"Open loop, {options.rate:g} requests/s",
        what=f"{options.arrivals.capitalize()} arrivals; latency from the moment a request was meant to be sent.",
        command=shlex.join(["python", "-m", "loadtest.open_loop", *sys.argv[1:]]),
        target=target.url,
        started_at=started_at,
        seconds=time.time() - started_at if course.is_cut_short else options.seconds,
        samples=samples,
        load=course.plot(),
        verdicts=[course.verdict()],
        findings={"rate": options.rate, "arrivals": options.arrivals},
        is_cut_short=course.is_cut_short,
    )


if __name__ == "__main__":
    ending.run(main)
