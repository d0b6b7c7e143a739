"""What the supervisor needs to know of a program that it keeps alive."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stack.command import Command


@dataclass(frozen=True, slots=True)
class Health:
    """One look at a part: whether it is fit for its task, and if not, whether it is at least alive."""

    is_ready: bool
    is_alive: bool
    note: str = ""
    is_final: bool = False  # at a start: waiting longer will not help

    @classmethod
    def ready(cls) -> Health:
        return cls(is_ready=True, is_alive=True)

    @classmethod
    def unready(cls, note: str) -> Health:
        return cls(is_ready=False, is_alive=True, note=note)

    @classmethod
    def silent(cls, note: str, *, is_final: bool = False) -> Health:
        return cls(is_ready=False, is_alive=False, note=note, is_final=is_final)


class Part(ABC):
    """One program of the stack: how to start it, to see whether it works, and to stop it."""

    name: str
    address: str
    start_seconds = 60.0  # until it must be ready; seconds suffice, but the machine may be busy with something else
    silent_seconds = 20.0  # without a sign of life, until it counts as hung and is started anew
    stop_signal = signal.SIGTERM
    stop_seconds = 10.0

    def prepare(self) -> None:  # noqa: B027  (most parts need nothing)
        """Put in place what a start needs, after a crash too."""

    @abstractmethod
    def command(self) -> Command:
        """The program."""

    @abstractmethod
    async def look(self) -> Health:
        """Ask it. Bounded in time; raises nothing that belongs to a part that is not well."""

    async def complete(self) -> None:  # noqa: B027  (most parts need nothing)
        """Once, when it is ready for the first time: what the parts after it rely on."""

    def defect(self, process_id: int) -> str:
        """What is broken for good although the process runs; empty when nothing is."""
        del process_id
        return ""
