"""One trial of a release: who is in it, how both sides do, and its end when the canary does worse."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

from gateway.canary.judgement import fault_of
from gateway.canary.protocols import Tally
from gateway.errors import GatewayError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from gateway.canary.protocols import TrialStore
    from gateway.metrics import Metrics

    Side = Literal["canary", "promoted"]
    Outcome = Literal["answered", "abstained", "failed"]

logger = logging.getLogger(__name__)

REPORT_SECONDS = 2.0  # a rollback by one gateway reaches the others so late
# From the middle of a photo, where it is compressed pixels: headers and ends can be the same for all of one camera.
SAMPLE_BYTES = 4096
# A photo counts once while it is among so many: who sends one again and again would decide about the release. About
# a megabyte, and at the usual share of 5 % as many photos of the canary's as are judged.
REMEMBERED_PHOTOS = 10_000

COUNTED: Mapping[Outcome, Tally] = {
    "answered": Tally(asked=1),
    "abstained": Tally(asked=1, abstained=1),
    "failed": Tally(asked=1, failed=1),
}


class CanaryTrial:
    """Nobody is in it until the database has said that the version was not rolled back before."""

    def __init__(self, version: str, share: float, store: TrialStore, metrics: Metrics) -> None:
        self.version = version
        self._share = share
        self._store = store
        self._metrics = metrics
        self._counts: dict[Side, Tally] = {"canary": Tally(), "promoted": Tally()}
        self._counted: dict[int, None] = {}  # photos by their places, the latest last
        self._verdict: str | None = None
        self._is_failing = False
        self._set_running(is_running=False)

    @property
    def is_running(self) -> bool:
        return self._is_running

    def includes(self, photo: bytes) -> bool:
        """The same for the same photo in every gateway: who asks again is answered by the same release."""
        return self._is_running and self._place(photo) < self._share * 2**64

    def count(self, side: Side, photo: bytes, outcome: Outcome, seconds: float) -> None:
        """The metrics have every request, the judgement only new photos."""
        if self._is_new(self._place(photo)):
            self._counts[side] = self._counts[side].plus(COUNTED[outcome])
        self._metrics.canary_requests.labels(side, outcome).inc()
        self._metrics.canary_seconds.labels(side).observe(seconds)

    def _place(self, photo: bytes) -> int:
        """Below 2**64, by chance."""
        middle = len(photo) // 2
        digest = hashlib.sha256(self.version.encode() + b"\n" + photo[middle : middle + SAMPLE_BYTES]).digest()
        return int.from_bytes(digest[:8])

    def _is_new(self, place: int) -> bool:
        is_new = place not in self._counted
        self._counted.pop(place, None)
        self._counted[place] = None
        if len(self._counted) > REMEMBERED_PHOTOS:
            del self._counted[next(iter(self._counted))]
        return is_new

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self.report()
                self._is_failing = False
            except Exception as error:  # the task must not end: the others' rollback would never come here
                if not self._is_failing:
                    is_expected = isinstance(error, GatewayError)
                    logger.warning("canary not reported: %s", error, exc_info=None if is_expected else error)
                self._is_failing = True
            await asyncio.sleep(REPORT_SECONDS * random.uniform(0.75, 1.25))

    async def report(self) -> None:
        """Hand in what was counted here, and judge the sum. Raises `DatabaseUnavailableError`.

        What cannot be handed in is lost: nobody knows whether it arrived, and counted twice, chance looks like proof.
        """
        counts, self._counts = self._counts, {"canary": Tally(), "promoted": Tally()}
        trial = await self._store.add(self.version, counts["canary"], counts["promoted"])
        verdict = trial.verdict
        if verdict is None and (fault := fault_of(trial.canary, trial.promoted)) is not None:
            self._set_running(is_running=False)  # at once; the store may be slow to hear of it
            verdict = await self._store.roll_back(self.version, fault)
        self._conclude(verdict)

    def _conclude(self, verdict: str | None) -> None:
        if verdict is not None and verdict != self._verdict:
            logger.warning("canary %s is rolled back: %s", self.version, verdict)
        self._verdict = verdict
        self._set_running(is_running=verdict is None)

    def _set_running(self, *, is_running: bool) -> None:
        self._is_running = is_running
        self._metrics.canary_share.labels(self.version).set(self._share if is_running else 0)
        self._metrics.canary_rolled_back.labels(self.version).set(self._verdict is not None)


@asynccontextmanager
async def running(trial: CanaryTrial) -> AsyncIterator[CanaryTrial]:
    task = asyncio.create_task(trial.run())
    try:
        yield trial
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
