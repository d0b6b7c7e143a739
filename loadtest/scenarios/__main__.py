"""Run a scenario with locust: `python -m loadtest.scenarios steady`, against a stack of its own or a gateway elsewhere.

FROND_URL, FROND_GRPC and FROND_TOKEN or FROND_TOKENS_FILE name that gateway. Options that are not listed here go
to locust: `--master --expect-workers 2`, `--master-host …`. Exit status 0: the objectives hold, 1: they do not,
130: it was cut short.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from loadtest import arguments, ending
from loadtest.asking.options import kinds, offered, target_of
from loadtest.asking.target import TargetError
from loadtest.report.writing import folder_of
from loadtest.scenarios.catalogue import SCENARIOS
from loadtest.scenarios.plan import Plan
from loadtest.scenarios.releases import two_releases
from stack.paths import ROOT

if TYPE_CHECKING:
    import argparse

LOCUSTFILE = ROOT / "loadtest" / "users" / "locustfile.py"
# What is under way may end: a request that is cut off would count as an error of the service.
OPTIONS = ("--stop-timeout=12", "--loglevel=WARNING")
END_SECONDS = 30.0  # of that, the report, and workers
# Nothing of Python is replaced by gevent's (decision 0020).
UNPATCHED = {"LOCUST_SKIP_MONKEY_PATCH": "1"}


def main() -> int:
    options, rest = read_options()
    scenario = SCENARIOS[options.scenario]
    if options.worker and not os.environ.get("FROND_URL"):
        raise TargetError("A worker asks what its master asks: set FROND_URL and the tokens as there.")
    with target_of(scenario.settings) as (target, own), ExitStack() as stack:
        plan = Plan(
            options.scenario,
            options.users or scenario.users,
            options.seconds or scenario.seconds,
            offered(options.kinds or scenario.kinds, target),
            str(folder_of(options.scenario, options.out)),
            shlex.join(["python", "-m", "loadtest.scenarios", *sys.argv[1:]]),
        )
        if scenario.has_two_releases and own:
            stack.enter_context(two_releases(plan.seconds))
        return locust({**target.environment(), **plan.environment()}, [*for_locust(options), *rest])


def read_options() -> tuple[argparse.Namespace, list[str]]:
    """Ours, and what goes to locust, which has looked at it by then."""
    listed = "\n".join(f"  {name:16}{scenario.what}" for name, scenario in SCENARIOS.items())
    parser = arguments.parser("loadtest.scenarios", f"{__doc__}\nscenarios:\n{listed}")
    parser.add_argument("scenario", choices=SCENARIOS, metavar="SCENARIO")
    parser.add_argument("--users", type=arguments.whole, help="instead of the scenario's own number")
    parser.add_argument("--seconds", type=arguments.positive, help="how long; of the ramp, each step")
    parser.add_argument("--kinds", type=kinds, help="kinds of requests, separated by commas")
    parser.add_argument("--out", type=arguments.folder, metavar="FOLDER", help="of the report")
    parser.add_argument("--processes", type=arguments.whole, help="of locust here, beside the one that steers them")
    parser.add_argument("--worker", action="store_true", help="of a run that a master on another machine steers")
    parser.add_argument("--web", action="store_true", help="locust's page, where the run is started")
    parser.add_argument("--web-port", type=arguments.whole, default=8089)
    options, rest = parser.parse_known_args()
    if rest:
        os.environ.update(UNPATCHED)
        from locust.argument_parser import get_parser  # noqa: PLC0415  (gevent's half second only where it is asked)

        locusts = get_parser()
        locusts.prog = parser.prog
        locusts.parse_args(rest)
    return options, rest


def for_locust(options: argparse.Namespace) -> list[str]:
    shown = ["--web-host", "127.0.0.1", "--web-port", str(options.web_port)]
    processes = ["--processes", str(options.processes)] if options.processes else []
    return [
        *(shown if options.web else ["--headless", "--only-summary"]),
        *processes,
        *(["--worker"] if options.worker else []),
    ]


def locust(environment: dict[str, str], options: list[str]) -> int:
    """Its exit status. It has a session of its own: it is we who are told to end, and who tell it, once."""
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *OPTIONS, *options]
    env = {**os.environ, **environment, **UNPATCHED, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return process.wait()
    except KeyboardInterrupt:
        with ending.undisturbed(), suppress(subprocess.TimeoutExpired):
            process.terminate()
            process.wait(END_SECONDS)
        if process.returncode != ending.INTERRUPTED:  # no run, or one that is over
            raise
        return ending.INTERRUPTED
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # workers that it left


if __name__ == "__main__":
    ending.run(main)
