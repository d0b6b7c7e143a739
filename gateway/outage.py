"""What we rely on and cannot reach: its outage is logged once when it begins and once when it ends, and is a metric."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import Gauge

logger = logging.getLogger(__name__)


class Outage:
    """Of one part. Who asks it says how that went; how often is nobody's line in the log."""

    def __init__(self, part: str, gauge: Gauge | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._part = part
        self._gauge = gauge
        self._clock = clock
        self._since: float | None = None

    @property
    def is_on(self) -> bool:
        return self._since is not None

    def begin(self, cause: BaseException) -> None:
        if self._since is not None:
            return
        self._since = self._clock()
        logger.warning("%s does not answer: %r", self._part, cause)
        self._show()

    def end(self) -> None:
        if self._since is None:
            return
        seconds = self._clock() - self._since
        self._since = None
        logger.warning("%s answers again, after %.1f s", self._part, seconds)
        self._show()

    def _show(self) -> None:
        if self._gauge is not None:
            self._gauge.set(self.is_on)
