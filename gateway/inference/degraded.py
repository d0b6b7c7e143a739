"""Another release that answers while the promoted one is out, and is named as such."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from gateway.errors import ModelVersionUnknownError, TritonUnavailableError
from gateway.inference.balancer import UNSERVED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.deadline import Deadline
    from gateway.diagnoses.protocols import Diagnoser, ModelAnswer
    from gateway.metrics import Metrics


class DegradingDiagnoser:
    """Who names a version gets that one or none."""

    def __init__(self, promoted: Diagnoser, fallback: Diagnoser, fallback_version: str, metrics: Metrics) -> None:
        self._promoted = promoted
        self._fallback = fallback
        self._fallback_version = fallback_version
        self._metrics = metrics

    def admit(self, version: str | None, deadline: Deadline) -> None:
        try:
            self._promoted.admit(version, deadline)
        except TritonUnavailableError:
            if version is not None:
                raise
            self._fallback.admit(self._fallback_version, deadline)

    async def diagnose(
        self, photos: Sequence[bytes], top_k: int, version: str | None, request_id: str, deadline: Deadline
    ) -> ModelAnswer:
        began = time.monotonic()
        try:
            return await self._promoted.diagnose(photos, top_k, version, request_id, deadline)
        except UNSERVED as error:
            if version is not None:
                raise
            outage = error
        try:
            answer = await self._fallback.diagnose(photos, top_k, self._fallback_version, request_id, deadline)
        except ModelVersionUnknownError as error:  # we named it and not the caller, whose rejection would be stored
            raise outage from error
        self._metrics.degraded.inc()
        return dataclasses.replace(answer, degraded=True, seconds=time.monotonic() - began)
