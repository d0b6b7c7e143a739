"""The options that every command of the load tests takes: whom to ask, with what, and for how long."""

from __future__ import annotations

import argparse
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from loadtest import arguments
from loadtest.asking.crowd import KINDS
from loadtest.asking.photos import SIZES
from loadtest.asking.target import Target, TargetError
from loadtest.asking.tensors import Tensors
from loadtest.own_stack import own_stack
from stack.ports import LOOPBACK, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stack.paths import StatePaths
    from stack.state import State

# As the app's users do: most send the photo along, the SDK is what apps use, tensors are for programs.
WEIGHTS = {"multipart": 4.0, "upload": 2.0, "sdk": 3.0, "grpc": 1.0}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kinds", type=kinds, default=None, help=f"kinds of requests, of {','.join(KINDS)}")
    parser.add_argument("--out", type=arguments.folder, metavar="FOLDER", help="of the report")
    parser.add_argument("--photo", choices=SIZES, default="1mp", help="size of the photos")


def kinds(text: str) -> dict[str, float]:
    """Names separated by commas; their usual weights. Raises ArgumentTypeError for another name."""
    names = text.split(",")
    if unknown := set(names) - set(KINDS):
        raise argparse.ArgumentTypeError(f"no such kind: {', '.join(sorted(unknown))}")
    return {name: WEIGHTS[name] for name in names}


def offered(wanted: Mapping[str, float], target: Target) -> dict[str, float]:
    """Without gRPC where the target has none; raises TargetError where nothing is left."""
    found = {name: weight for name, weight in wanted.items() if target.grpc or name != Tensors.name}
    if not found:
        raise TargetError(f"Nothing is known to offer {Tensors.name} there: FROND_GRPC is its address.")
    return found


@contextmanager
def own_target(settings: Mapping[str, str]) -> Iterator[tuple[Target, StatePaths, State]]:
    """A stack of one's own, its gateway with these settings and the Open Inference Protocol over gRPC."""
    (port,) = free_ports(1)
    os.environ.update(settings, FROND_GRPC_PORT=str(port))
    print("Starting a stack for this run …", flush=True)
    with own_stack() as (paths, state):
        yield Target(state.gateway_url, f"{LOOPBACK}:{port}"), paths, state


@contextmanager
def target_of(settings: Mapping[str, str]) -> Iterator[tuple[Target, bool]]:
    """The one that the environment names, once it answers, or one of one's own; and whether it is that."""
    if target := Target.from_environment():
        target.probe()
        yield target, False
    else:
        with own_target(settings) as (target, _, _):
            yield target, True
