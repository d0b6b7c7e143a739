"""Run a scenario with locust: `python -m loadtest.scenarios steady`, against a stack of its own or a gateway elsewhere.

FROND_URL, FROND_GRPC and FROND_TOKEN or FROND_TOKENS_FILE name that gateway. Options that are not listed here go
to locust: `--processes 2`, `--master --expect-workers 2`, `--worker --master-host …`. Exit status 0: the objectives
hold, 1: they do not.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from loadtest.asking.options import kinds, offered, target_of
from loadtest.asking.target import TargetError
from loadtest.report.writing import folder_of
from loadtest.scenarios.catalogue import SCENARIOS
from loadtest.scenarios.plan import Plan
from loadtest.scenarios.releases import two_releases
from stack.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCUSTFILE = ROOT / "loadtest" / "users" / "locustfile.py"
# What is under way may end: a request that is cut off would count as an error of the service.
OPTIONS = ("--stop-timeout=12", "--loglevel=WARNING")


def main(arguments: list[str] | None = None) -> int:
    options, rest = read_options(arguments)
    scenario = SCENARIOS[options.scenario]
    try:
        with target_of(scenario.settings) as (target, own), ExitStack() as stack:
            plan = Plan(
                options.scenario,
                options.users or scenario.users,
                options.seconds or scenario.seconds,
                offered(options.kinds or scenario.kinds, target),
                str(folder_of(options.scenario, options.out)),
                shlex.join(["python", "-m", "loadtest.scenarios", *(arguments or sys.argv[1:])]),
            )
            if scenario.has_two_releases and own:
                stack.enter_context(two_releases(plan.seconds))
            return locust({**target.environment(), **plan.environment()}, [*page(options), *rest])
    except TargetError as error:
        print(error, file=sys.stderr)
        return 2


def read_options(arguments: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """Ours, and what goes to locust."""
    listed = "\n".join(f"  {name:16}{scenario.what}" for name, scenario in SCENARIOS.items())
    parser = argparse.ArgumentParser(
        description=f"{__doc__}\nscenarios:\n{listed}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenario", choices=SCENARIOS, metavar="SCENARIO")
    parser.add_argument("--users", type=int, help="instead of the scenario's own number")
    parser.add_argument("--seconds", type=float, help="how long; of the ramp, each step")
    parser.add_argument("--kinds", type=kinds, help="kinds of requests, separated by commas")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="of the report")
    parser.add_argument("--web", action="store_true", help="locust's page, where the run is started")
    parser.add_argument("--web-port", type=int, default=8089)
    return parser.parse_known_args(arguments)


def page(options: argparse.Namespace) -> list[str]:
    if not options.web:
        return ["--headless", "--only-summary"]
    return ["--web-host", "127.0.0.1", "--web-port", str(options.web_port)]


def locust(environment: dict[str, str], options: list[str]) -> int:
    """Its exit status. Ctrl-C reaches it as well; it ends by itself, and the report is written."""
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *OPTIONS, *options]
    # Nothing of Python is replaced by gevent's (decision 0020).
    unpatched = {"LOCUST_SKIP_MONKEY_PATCH": "1", "PYTHONPATH": str(ROOT)}
    with interrupts_ignored(), subprocess.Popen(command, env={**os.environ, **environment, **unpatched}) as process:
        return process.wait()


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Here; a child sets its own handler."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


if __name__ == "__main__":
    sys.exit(main())
