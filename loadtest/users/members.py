"""User classes of locust: one for each kind of request, and the noisy one."""

from __future__ import annotations

import itertools
import os
import random
import socket
from typing import TYPE_CHECKING, ClassVar

import gevent
from locust import User, task

from loadtest.scenarios.outcome import NOISY

if TYPE_CHECKING:
    from loadtest.users.session import Session

SILENCE_SECONDS = 0.1


class Member(User):
    """A user with a name of its own, on whatever machine."""

    abstract = True
    session: ClassVar[Session]
    kind: ClassVar[str]
    numbers: ClassVar = itertools.count()

    def on_start(self) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{next(self.numbers)}"

    def wait_time(self) -> float:
        return random.uniform(*self.session.plan.scenario.pause)

    @task
    def ask(self) -> None:
        self.take_turn()

    def take_turn(self) -> None:
        self.session.take_turn(self.kind, self.name)


class NoisyMember(Member):
    """All of them are one user to the service."""

    abstract = True
    kind = "multipart"

    def wait_time(self) -> float:
        return 0.0

    def take_turn(self) -> None:
        if self.session.is_noise():
            self.session.take_turn(self.kind, NOISY, NOISY)
        else:
            gevent.sleep(SILENCE_SECONDS)


def member_classes(session: Session) -> dict[str, type[Member]]:
    """By their names, for locust to find in its file."""
    plan = session.plan
    found: dict[str, type[Member]] = {}
    for kind, weight in plan.kinds.items():
        name = f"{kind.capitalize()}User"
        found[name] = type(name, (Member,), {"abstract": False, "session": session, "kind": kind, "weight": weight})
    if plan.scenario.noisy:
        contents = {"abstract": False, "session": session, "fixed_count": plan.scenario.noisy}
        found["NoisyUser"] = type("NoisyUser", (NoisyMember,), contents)
    return found
