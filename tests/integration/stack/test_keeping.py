"""How one part is kept alive, shown on programs that misbehave to order."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stack import processes
from stack.children import Children
from stack.command import Command
from stack.errors import StartError
from stack.keeper import Keeper
from stack.part import Health, Part

FOREVER = ("sleep", "1000")
# Ignores SIGTERM, and has a child in a session of its own that does too.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen(["sleep", "1000"], start_new_session=True)
print("up", flush=True)
time.sleep(1000)
"""


@dataclass
class Puppet(Part):
    """Runs what it is told to and is as healthy as it is told to be."""

    argv: tuple[str, ...] = FOREVER
    health: Health = field(default_factory=Health.ready)
    broken: str = ""
    error: Exception | None = None
    name: str = "puppet"
    address: str = ""
    start_seconds: float = 5.0
    silent_seconds: float = 0.5
    stop_seconds: float = 0.5

    def command(self) -> Command:
        return Command(self.argv)

    async def look(self) -> Health:
        if self.error:
            raise self.error
        return self.health

    def defect(self, process_id: int) -> str:
        del process_id
        return self.broken


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "puppet.log"


def make_keeper(part: Part, log: Path) -> Keeper:
    """Its children are apart from those that this process has already."""
    others = (child.pid for child in processes.children(os.getpid()))
    return Keeper(part, log, Children(*others), {}, lambda: None)


@asynccontextmanager
async def kept(part: Part, log: Path) -> AsyncIterator[Keeper]:
    """The part, started and watched, and stopped at the end."""
    keeper = make_keeper(part, log)
    await keeper.start()
    task = asyncio.create_task(keeper.keep())
    try:
        yield keeper
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await keeper.stop()


async def until(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_part_that_ends_is_started_again(log: Path) -> None:
    async with kept(Puppet(), log) as keeper:
        first = keeper.status.process_id
        assert first is not None
        os.kill(first, 9)
        await until(lambda: keeper.status.restarts == 1 and keeper.status.state == "ready")
        assert keeper.status.process_id not in {first, None}


async def test_a_part_that_gives_no_sign_of_life_is_started_again(log: Path) -> None:
    part = Puppet()
    async with kept(part, log) as keeper:
        first = keeper.status.process_id
        assert first is not None
        part.health = Health.silent("does not answer")
        await until(lambda: keeper.status.restarts == 1)
        assert keeper.status.note == "gave no sign of life for 0.5 s"
        part.health = Health.ready()
        await until(lambda: keeper.status.state == "ready")
        assert not processes.is_alive(first)


async def test_a_look_that_fails_in_itself_does_not_end_the_keeper(log: Path) -> None:
    part = Puppet()
    async with kept(part, log) as keeper:
        part.error = RuntimeError("a bug")
        await until(lambda: keeper.status.restarts == 1)
        part.error = None
        await until(lambda: keeper.status.state == "ready")


async def test_a_part_that_is_alive_and_not_ready_is_left_to_recover(log: Path) -> None:
    part = Puppet()
    async with kept(part, log) as keeper:
        part.health = Health.unready("the database is out")
        await until(lambda: keeper.status.state == "unready")
        await asyncio.sleep(3 * part.silent_seconds)
        assert (keeper.status.restarts, keeper.status.note) == (0, "the database is out")


async def test_a_part_with_a_defect_is_started_again(log: Path) -> None:
    part = Puppet()
    async with kept(part, log) as keeper:
        part.broken = "lost something"
        await until(lambda: keeper.status.restarts >= 1)  # a busy machine may look too late to see the first alone
        assert keeper.status.note == "lost something"
        part.broken = ""
        await until(lambda: keeper.status.state == "ready")


async def test_a_part_that_keeps_failing_is_tried_ever_more_rarely(log: Path) -> None:
    part = Puppet()
    async with kept(part, log) as keeper:
        part.argv = ("false",)
        part.health = Health.silent("")
        began = time.monotonic()
        assert keeper.status.process_id is not None
        os.kill(keeper.status.process_id, 9)
        await until(lambda: keeper.status.restarts == 4)  # after 0, 0.5 and 1 s; the next in 2 s
        assert time.monotonic() - began >= 1.5
        assert (keeper.status.state, keeper.status.note) == ("restarting", "ended with exit status 1")
        part.argv, part.health = FOREVER, Health.ready()
        await until(lambda: keeper.status.state == "ready")


async def test_a_program_that_ends_at_its_first_start_is_reported_with_its_last_words(log: Path) -> None:
    keeper = make_keeper(Puppet(("sh", "-c", "echo bad setting; exit 3"), Health.silent("")), log)
    with pytest.raises(StartError, match=r"puppet ended with exit status 3\. The end of .*puppet\.log:\nbad setting"):
        await keeper.start()
    await keeper.stop()


async def test_a_start_that_cannot_succeed_is_not_waited_for(log: Path) -> None:
    keeper = make_keeper(Puppet(health=Health.silent("model is broken", is_final=True), start_seconds=60), log)
    began = time.monotonic()
    with pytest.raises(StartError, match="puppet cannot start: model is broken"):
        await keeper.start()
    assert time.monotonic() - began < 5
    await keeper.stop()


async def test_a_start_that_takes_too_long_is_given_up_with_the_last_problem(log: Path) -> None:
    keeper = make_keeper(Puppet(health=Health.silent("does not answer"), start_seconds=0.3), log)
    with pytest.raises(StartError, match=r"was not ready after 0\.3 s: does not answer"):
        await keeper.start()
    await keeper.stop()


async def test_a_part_that_ignores_its_signal_is_killed_after_its_limit(log: Path) -> None:
    async with kept(Puppet((sys.executable, "-c", STUBBORN)), log) as keeper:
        await until(lambda: "up" in log.read_text())
        process_id = keeper.status.process_id
        assert process_id is not None
        family = processes.family(process_id)
    assert len(family) == 2
    assert not processes.is_alive(process_id)
    for orphan in family[1:]:  # this process is not its new parent, as the supervisor would be
        if processes.is_alive(orphan.pid):
            os.kill(orphan.pid, 9)
