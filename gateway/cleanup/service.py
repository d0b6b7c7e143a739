"""The rounds of cleanup: one replica at a time, in small batches, for half of the interval at most."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.errors import GatewayError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from gateway.cleanup.protocols import Expirable, ExpiredRows
    from gateway.metrics import Metrics

logger = logging.getLogger(__name__)

BATCH_ROWS = 500  # some 10 ms: nobody waits for it, and a 2 s limit on statements is far away


class CleanupService:
    """Failures are logged when they begin, and the next round tries again."""

    def __init__(
        self, rows: ExpiredRows, photos: Expirable, metrics: Metrics, interval_seconds: float, retention_seconds: float
    ) -> None:
        self._rows = rows
        self._photos = photos
        self._metrics = metrics
        self._interval_seconds = interval_seconds
        self._retention_seconds = retention_seconds
        self._is_failing = False
        metrics.cleanup_finished.set_to_current_time()

    async def run(self) -> None:
        """For ever. The lease on a round ends before the same replica asks again."""
        while True:
            await asyncio.sleep(self._interval_seconds * random.uniform(0.75, 1.25))
            try:
                await self.clean()
                self._is_failing = False
            except Exception as error:  # the task must not end
                if not self._is_failing:
                    is_expected = isinstance(error, GatewayError)
                    logger.warning("cleanup failed: %s", error, exc_info=None if is_expected else error)
                self._is_failing = True

    async def clean(self) -> None:
        """One round, if it is ours."""
        lease_seconds = self._interval_seconds / 2
        give_up_at = time.monotonic() + lease_seconds
        begun = await self._rows.begin(timedelta(seconds=lease_seconds))
        self._metrics.idempotency_rows.set(begun.idempotency_rows)
        if not begun.is_ours:
            return
        await self._delete("idempotency_key", self._rows.delete_keys, give_up_at)
        await self._delete("rate_limit", self._rows.delete_rate_limits, give_up_at)
        photos = await self._photos.expire(self._retention_seconds)
        self._metrics.cleaned.labels("photo").inc(photos)
        self._metrics.cleanup_finished.set_to_current_time()

    async def _delete(self, what: str, delete: Callable[[int], Awaitable[int]], give_up_at: float) -> None:
        deleted = BATCH_ROWS
        while deleted == BATCH_ROWS and time.monotonic() < give_up_at:
            deleted = await delete(BATCH_ROWS)
            self._metrics.cleaned.labels(what).inc(deleted)


@asynccontextmanager
async def cleaning(service: CleanupService) -> AsyncIterator[None]:
    """In the background."""
    task = asyncio.create_task(service.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
