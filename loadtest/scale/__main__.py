"""Throughput by shape of the stack, what a request costs, and the capacity model beside measurements: `make scale`.

A stack of its own. `--out` is what `frond capacity --measured` reads. `--publish` also writes docs/capacity.md and the
figures that Frond ships. The last line is one JSON object.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from cli.capacity.measured import SHIPPED, Measurements, read
from loadtest import arguments, ending, markdown
from loadtest.own_stack import own_stack
from loadtest.scale import page, parts
from stack.paths import ROOT

if TYPE_CHECKING:
    import argparse

PARTS = ("shapes", "requests", "check")
PAGE = ROOT / "docs" / "capacity.md"
NETWORK = "EfficientNet-Lite0, 224 px, on CPU cores"


def main() -> None:
    options = read_options()
    with own_stack() as (paths, state):
        bench = parts.Bench(paths, state, options.seconds, options.cores, say)
        results = uvloop.run(measure(bench, options))
    options.results.write_text(json.dumps(results, indent=1))
    if "requests" in results:
        figures = measurements(results).model_dump_json(by_alias=True, indent=2) + "\n"
        options.out.write_text(figures)
        if options.publish:
            SHIPPED.write_text(figures)
    if options.publish:
        markdown.put(PAGE, tables(results))
    print("\n\n".join(tables(results).values()))
    print(json.dumps(results))


def read_options() -> argparse.Namespace:
    parser = arguments.parser("loadtest.scale", __doc__)
    parser.add_argument("--seconds", type=arguments.positive, default=5, help="for each figure; some take longer")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--cores", type=int, default=cores, choices=range(1, cores + 1), help="of the servers at most")
    parser.add_argument("--only", action="append", choices=PARTS, help="again for several; all. Results are kept")
    results, out = ROOT / "build" / "scale-results.json", ROOT / "build" / "scale.json"
    parser.add_argument("--results", type=arguments.file, default=str(results), help="all that was seen")
    parser.add_argument("--out", type=arguments.file, default=str(out), help="for `frond capacity --measured`")
    parser.add_argument("--publish", action="store_true", help="into the documentation and the shipped figures")
    return parser.parse_args()


async def measure(bench: parts.Bench, options: argparse.Namespace) -> dict[str, Any]:
    wanted = options.only or PARTS
    results: dict[str, Any] = (
        json.loads(options.results.read_text()) if options.only and options.results.exists() else {}
    )
    if "requests" in wanted:
        results["cores"] = bench.cores
        results["requests"], results["memory"] = await parts.measure_requests(bench)
    if "shapes" in wanted:
        results["shapes"] = await parts.measure_shapes(bench)
    if "check" in wanted:
        if "requests" not in results:
            raise SystemExit("`check` predicts from what `requests` measures: name both.")
        results["check"] = await parts.check(bench, results["requests"])
    return results


def measurements(results: dict[str, Any]) -> Measurements:
    """What a row costs is measured by `python -m loadtest.table_growth` and kept."""
    return Measurements(
        machine=machine(),
        cores=results["cores"],
        command="python -m loadtest.scale",
        network=NETWORK,
        requests=[parts.request(found) for found in results["requests"]],
        memory=results["memory"],
        row=read(SHIPPED).row,
    )


def machine() -> str:
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    return f"{len(os.sched_getaffinity(0))} cores, {names[0] if names else platform.machine()}"


def tables(results: dict[str, Any]) -> dict[str, str]:
    found = {}
    if "shapes" in results:
        found["shapes"] = page.shapes(results["shapes"])
    if "requests" in results:
        found["requests"] = page.requests(results["requests"])
    if "check" in results:
        found["open"] = page.opens(results["check"]["open"])
        found["closed"] = page.closes(results["check"]["closed"])
    return found


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    ending.run(main)
