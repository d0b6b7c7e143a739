"""What is counted of a canary and of the promoted release beside it, and where all gateways' counts come together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Tally:
    """Of one side: requests, those that failed or took too long, and those answered with an abstention."""

    asked: int = 0
    failed: int = 0
    abstained: int = 0

    def plus(self, other: Tally) -> Tally:
        return Tally(self.asked + other.asked, self.failed + other.failed, self.abstained + other.abstained)

    @property
    def answered(self) -> int:
        return self.asked - self.failed


@dataclass(frozen=True, slots=True)
class Trial:
    """Both sides over all gateways, the older requests for less; and why it was rolled back, if it was."""

    canary: Tally
    promoted: Tally
    verdict: str | None = None


class TrialStore(Protocol):
    """Both raise `DatabaseUnavailableError`."""

    async def add(self, version: str, canary: Tally, promoted: Tally) -> Trial:
        """Add this gateway's counts since the last time, once at most; what is known then."""

    async def roll_back(self, version: str, verdict: str) -> str:
        """For good and for every gateway; the verdict in force, which is the first one's."""
