"""Asks the canary for those who are in the trial, and the promoted release when it fails them."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from gateway.deadline import Deadline
from gateway.diagnoses import assembly
from gateway.errors import GatewayError, ModelAnswerError, OverloadedError, TritonUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from frond.types import Diagnosis
    from gateway.canary.service import CanaryTrial, Outcome, Side
    from gateway.diagnoses.protocols import Diagnoser, ModelAnswer

logger = logging.getLogger(__name__)

# Of the budget, for either side: then the promoted release still has the other half for those whom the canary failed.
PATIENCE = 0.5
# Of that, what may be spent in the queue. Nearer to the limit the queue decides who is late, and it is longer for the
# canary: a batch with requests for two releases takes as long as one for each.
QUEUE = 0.5
# No model was asked, or its server was lost: this befalls every release alike.
NO_RELEASE = (OverloadedError, TritonUnavailableError)


class CanaryDiagnoser:
    """Who names a version is not in the trial. Whom the canary does not answer, the promoted release does."""

    def __init__(self, diagnoser: Diagnoser, trial: CanaryTrial) -> None:
        self._diagnoser = diagnoser
        self._trial = trial

    def admit(self, version: str | None, deadline: Deadline) -> None:
        self._diagnoser.admit(version, deadline)

    async def diagnose(
        self, photos: Sequence[bytes], top_k: int, version: str | None, request_id: str, deadline: Deadline
    ) -> ModelAnswer:
        patience = deadline.remaining() * PATIENCE
        if version is not None or not self._may_try(patience):
            return await self._diagnoser.diagnose(photos, top_k, version, request_id, deadline)
        if self._trial.includes(photos[0]):
            until = Deadline.after(patience)
            asked = self._diagnoser.diagnose(photos, top_k, self._trial.version, request_id, until)
            try:
                return await self._observe("canary", asked, photos, patience)
            except GatewayError:
                pass
            except Exception:  # whatever it is, the caller need not hear of it
                logger.exception("a call of the canary failed")
            return await self._diagnoser.diagnose(photos, top_k, None, request_id, deadline)
        asked = self._diagnoser.diagnose(photos, top_k, None, request_id, deadline)
        return await self._observe("promoted", asked, photos, patience)

    def _may_try(self, patience: float) -> bool:
        """Not while Triton has much to do: that is no time to judge by, for either side, nor to ask twice."""
        if not self._trial.is_running:
            return False
        try:
            self._diagnoser.admit(self._trial.version, Deadline.after(patience * QUEUE))
        except GatewayError:
            return False
        return True

    async def _observe(
        self, side: Side, asked: Awaitable[ModelAnswer], photos: Sequence[bytes], patience: float
    ) -> ModelAnswer:
        """Both sides are held to the same time, so that a slow hour counts for none."""
        began = time.monotonic()
        try:
            answer = await asked
            diagnosis = assembly.check(answer, len(photos))
        except NO_RELEASE:
            raise
        except Exception:
            self._trial.count(side, photos[0], "failed", time.monotonic() - began)
            raise
        if answer.degraded:  # another release's
            return answer
        seconds = time.monotonic() - began
        has_read = any(image.error is None for image in diagnosis.images)
        is_late = seconds > patience
        self._trial.count(side, photos[0], outcome_of(diagnosis, has_failed=is_late or not has_read), seconds)
        if side == "canary" and not has_read:
            raise ModelAnswerError("The canary can read none of the photos.")
        return answer


def outcome_of(diagnosis: Diagnosis, *, has_failed: bool) -> Outcome:
    if has_failed:
        return "failed"
    return "abstained" if diagnosis.abstained else "answered"
