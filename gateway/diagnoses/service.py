"""One diagnosis for each idempotency key: claim it, do the work, store the answer, and only then give it out."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

from gateway.cancellation import uncancelled
from gateway.diagnoses.keys import Keys, claim_for
from gateway.diagnoses.work import Work

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from gateway.diagnoses.protocols import (
        Announcements,
        Answer,
        Claim,
        Diagnoser,
        IdempotencyStore,
        Order,
        PhotoSource,
    )
    from gateway.metrics import Metrics


class DiagnosisService:
    """Knows neither HTTP nor SQL nor gRPC."""

    def __init__(
        self,
        store: IdempotencyStore,
        announcements: Announcements,
        photos: PhotoSource,
        diagnoser: Diagnoser,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._keys = Keys(store, announcements, diagnoser, metrics)
        self._work = Work(photos, diagnoser, metrics)
        self._metrics = metrics

    async def answer(self, order: Order) -> Answer:
        """The answer under the order's key: stored, another request's, or new.

        What is raised was not stored: the key is free again.
        """
        self._work.check_owners(order)
        claim = claim_for(order)
        claimed = await self._keys.claim(order, claim)
        if claimed.answer is not None:
            return claimed.answer
        try:
            answer = await self._while_wanted(claim, self._work.answer(order))
        except Exception:
            await uncancelled(self._keys.release(claim))
            raise
        # An answer leaves only when it is stored, and once there is one, a hang-up does not undo it.
        with self._metrics.stage("complete"):
            stored = await uncancelled(self._store.complete(claim, answer))
        return dataclasses.replace(stored, allowance=claimed.allowance)

    async def _while_wanted(self, claim: Claim, work: Coroutine[None, None, Answer]) -> Answer:
        """Who hangs up cancels the work, unless another one waits for its answer: then it goes on all the same."""
        task = asyncio.ensure_future(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            try:
                if task.done() or not await uncancelled(self._keys.release(claim, unless_awaited=True)):
                    return await uncancelled(task)
                raise
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
