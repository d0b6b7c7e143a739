"""A device and a cloud that do as they are told, for tests of the coordinator."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from frond.errors import CloudInferenceError, CloudTimeoutError
from frond.options import CloudPrediction, PredictOptions
from frond.telemetry import Telemetry
from frond.types import Diagnosis, TelemetryEvent
from tests.gateways import png
from tests.unit.sdk.answers import diagnosis

PHOTO = png()
CONFIDENT = Diagnosis.model_validate(diagnosis(PHOTO))
UNSURE = Diagnosis.model_validate(diagnosis(PHOTO, abstained=True, abstainReason="low_confidence"))
NO_LEAF = Diagnosis.model_validate(diagnosis(PHOTO, abstained=True, abstainReason="not_a_leaf"))


@dataclass
class FakeDevice:
    """Answers, or fails, after so many seconds."""

    seconds: float = 0.3
    outcome: Diagnosis | Exception = CONFIDENT
    was_cancelled: bool = False

    async def predict(self, photos: Sequence[bytes], top_k: int) -> Diagnosis:  # noqa: ARG002
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@dataclass
class FakeCloud:
    """As the client: it ends within the timeout that it is given."""

    seconds: float = 0.8
    outcome: Diagnosis | CloudInferenceError = CONFIDENT
    asked: list[PredictOptions] = field(default_factory=list)
    events: list[TelemetryEvent] = field(default_factory=list)
    was_cancelled: bool = False

    def __post_init__(self) -> None:
        self.telemetry = Telemetry(self.events.append)

    async def predict(self, options: PredictOptions) -> CloudPrediction:
        self.asked.append(options)
        try:
            await asyncio.sleep(min(self.seconds, options.timeout_seconds))
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        if self.seconds > options.timeout_seconds:
            raise CloudTimeoutError("The deadline passed.", code="deadline_exceeded")
        if isinstance(self.outcome, CloudInferenceError):
            raise self.outcome
        return CloudPrediction(
            diagnosis=self.outcome,
            request_id="r-1",
            idempotency_key=uuid.uuid4(),
            replayed=False,
            attempts=1,
            stage_seconds={"infer": self.seconds, "total": self.seconds},
        )
