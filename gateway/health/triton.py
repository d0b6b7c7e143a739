"""Whether Triton diagnoses: a photo goes all the way through decoding and inference."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gateway.deadline import Deadline
from gateway.errors import ModelFailedError
from gateway.health.picture import green_png

if TYPE_CHECKING:
    from gateway.diagnoses.protocols import Diagnoser

INFERENCE_SECONDS = 2.0


class InferenceProbe:
    """Triton's own health says 200 while a Python stub is dead (triton-inference-server/server 8604)."""

    def __init__(self, diagnoser: Diagnoser) -> None:
        self._diagnoser = diagnoser
        self._picture = green_png()

    async def check(self) -> None:
        answer = await self._diagnoser.diagnose(
            [self._picture], 1, None, "readiness", Deadline.after(INFERENCE_SECONDS)
        )
        if json.loads(answer.content)["images"][0]["error"] is not None:
            raise ModelFailedError("The model cannot read the picture of the synthetic inference.")
