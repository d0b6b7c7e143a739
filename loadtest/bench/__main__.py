"""Frond beside FastAPI, LitServe, BentoML, plain Triton and the machine's limit, in one run: `make bench`.

All serve the same model and get the same photos from the same client; each has to give the right answer before it is
timed. The last line is one JSON object: requests/s by size and target.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

import uvloop

from loadtest import arguments, ending
from loadtest.bench import page, peers, tables
from loadtest.bench.answers import WrongAnswerError
from loadtest.bench.figures import TooShortError
from loadtest.bench.measurement import ON_DEMAND, TARGETS, Plan, Results, measure
from loadtest.bench.photos import SIZES
from loadtest.bench.surroundings import describe
from loadtest.bench.target import TargetError
from loadtest.gpu.server import ServerError

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> int:
    options = _parser().parse_args()
    if not peers.are_installed() and set(options.targets) & {*peers.NAMES, peers.TUNED}:
        print("The peers are not installed here: make .venv-peers/ready", file=sys.stderr)
        return 2
    plan = Plan(options.targets, options.sizes, options.concurrency, options.seconds, options.rounds)
    try:
        results = uvloop.run(measure(plan, lambda line: print(line, file=sys.stderr, flush=True)))
    except (WrongAnswerError, TargetError, TooShortError, ServerError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\n{tables.throughput(results)}\n\n{tables.latency(results)}\n")
    if options.publish:
        _publish(plan, results)
    print(json.dumps(tables.rates(results)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = arguments.parser("loadtest.bench", __doc__)
    parser.add_argument(
        "--targets", type=_some_of((*TARGETS, *ON_DEMAND)), default=TARGETS, help=",".join((*TARGETS, *ON_DEMAND))
    )
    parser.add_argument("--sizes", type=_some_of(tuple(SIZES)), default=tuple(SIZES), help=",".join(SIZES))
    parser.add_argument("--concurrency", type=arguments.whole, default=8)
    parser.add_argument("--seconds", type=arguments.positive, default=4, help="a round, for each size and target")
    parser.add_argument("--rounds", type=arguments.whole, default=3, help="the median of them counts")
    parser.add_argument("--publish", action="store_true", help="write table and plot into docs/benchmarks.md")
    return parser


def _some_of(known: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def names(text: str) -> tuple[str, ...]:
        chosen = text.split(",")
        unknown = set(chosen) - set(known)
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(known)}")
        return tuple(name for name in known if name in chosen)

    return names


def _publish(plan: Plan, results: Results) -> None:
    from loadtest.bench import plot  # noqa: PLC0415  (matplotlib is there for `make bench`, not for every short run)

    plot.draw(results, page.PLOT)
    page.publish(page.part(results, plan, describe(), "make bench"))
    print(f"Written to {page.PAGE} and {page.PLOT}", file=sys.stderr)


if __name__ == "__main__":
    ending.run(main)
