"""The measurement: every target checked at every size, then size by size in rounds that take the targets in turns."""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from loadtest.bench import frond, peers
from loadtest.bench.answers import check, reference
from loadtest.bench.figures import Figures, Rounds
from loadtest.bench.limit import bare_loop
from loadtest.bench.load import Load
from loadtest.bench.photos import photo
from loadtest.bench.plain_triton import plain_triton
from loadtest.own_stack import own_stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from loadtest.bench.target import Target

LIMITS = {"limit": False, "limit-readied": True}  # with the graph as Frond's backend readies it?
TARGETS = (*LIMITS, *peers.NAMES, "triton", *frond.NAMES)
ON_DEMAND = (peers.TUNED,)
WARM_UP_SECONDS = 0.5  # every worker of every server has had a photo of the size by then
ALONE_SHARE = 0.4  # of a round's seconds

Results: TypeAlias = dict[str, dict[str, Figures]]
"""By size, then by target."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, at which concurrency, for how many seconds in each of how many rounds."""

    targets: tuple[str, ...]
    sizes: tuple[str, ...]
    concurrency: int
    seconds: float
    rounds: int


async def measure(plan: Plan, say: Callable[[str], None]) -> Results:
    """Raises `WrongAnswerError` before anything is timed, `TargetError` and `StackError` for a server that fails."""
    photos = {size: photo(size) for size in plan.sizes}
    async with started(plan.targets) as targets:
        for size, encoded in photos.items():
            expected = reference(encoded)
            for name, target in targets.items():
                check(name, size, await target.answer(encoded), expected)
            say(f"{size}: every target answers {expected[0][0]}")
        return {size: await _in_turns(plan, targets, size, photos[size], say) for size in plan.sizes}


@asynccontextmanager
async def started(names: tuple[str, ...]) -> AsyncIterator[dict[str, Target]]:
    """All of them, up at once: rounds in turns leave no time to start one. An idle one costs memory only."""
    async with AsyncExitStack() as stack:
        targets: dict[str, Target] = {}
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="frond-bench-")))
        if set(names) & set(frond.NAMES):
            _, state = stack.enter_context(own_stack())
            targets |= {"diagnose": frond.diagnose(state), "frond": frond.gateway(state)}
        if "triton" in names:
            targets["triton"] = await stack.enter_async_context(plain_triton(folder))
        for name, is_readied in LIMITS.items():
            if name in names:
                targets[name] = await stack.enter_async_context(bare_loop(is_readied=is_readied))
        for name in (*peers.NAMES, *ON_DEMAND):
            if name in names:
                targets[name] = await stack.enter_async_context(peers.peer(name, folder))
        yield {name: targets[name] for name in names}


async def _in_turns(
    plan: Plan, targets: dict[str, Target], size: str, encoded: bytes, say: Callable[[str], None]
) -> dict[str, Figures]:
    """Each round begins with another target, so that none always follows the same one."""
    full = Load(plan.concurrency, plan.seconds, WARM_UP_SECONDS)
    alone = Load(1, plan.seconds * ALONE_SHARE, WARM_UP_SECONDS / 2)
    rounds = {name: Rounds() for name in targets}
    for number in range(plan.rounds):
        for name in (*plan.targets[number:], *plan.targets[:number]):
            under_load = await targets[name].latencies(encoded, full)
            rounds[name].add(under_load, full.seconds, await targets[name].latencies(encoded, alone))
        rates = ", ".join(f"{name} {taken.rates[-1]:.1f}" for name, taken in rounds.items())
        say(f"{size}, round {number + 1} of {plan.rounds}, requests/s: {rates}")
    return {name: taken.figures() for name, taken in rounds.items()}
