"""What a caller asks for, and what comes back."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Literal, Self, TypeAlias

from frond.policy.deadline import HARD_DEADLINE_SECONDS
from frond.types import ClientInfo, Diagnosis, ImageReference, InferenceMode, PlantContext

PhotoSource: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO
"""A path, the bytes themselves, or a file opened for reading bytes, which is read from where it stands to its end."""

Delivery: TypeAlias = Literal["auto", "multipart", "signed_urls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictOptions:
    """One assessment: 1 to 8 photos of one plant.

    `assessment_id` and `plant_context` are needed: a request without one is refused as any other that cannot be, with a
    `CloudValidationError`. `photos`: sources, and photos that `upload_images` answered with, in any mixture. One that
    is broken, or of a type that the service does not take, fails alone: it is not sent, and its place in
    `diagnosis.images` says why. `idempotency_key`: made for the call where there is none; the same key with the same
    request again, even by another process, replays the stored answer. `timeout_seconds`: for everything, above 0 and at
    most 8. `delivery`: `multipart` sends the photos along, `signed_urls` uploads them first, `auto` takes the one that
    is likely to be quicker. `mode` is for the telemetry: the coordinator's.
    """

    photos: Sequence[PhotoSource | ImageReference]
    assessment_id: str | None = None
    plant_context: PlantContext | Mapping[str, str] | None = None
    client: ClientInfo | None = None
    model_version: str | None = None
    top_k: int = 5
    idempotency_key: uuid.UUID | None = None
    timeout_seconds: float = HARD_DEADLINE_SECONDS
    delivery: Delivery = "auto"
    mode: InferenceMode = InferenceMode.CLOUD

    def with_key(self) -> Self:
        """The same, with a random key (UUID v4) where there is none."""
        return self if self.idempotency_key else replace(self, idempotency_key=uuid.uuid4())


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudPrediction:
    """The cloud's diagnosis and how it came about.

    `replayed`: the stored answer of an earlier request under the same key. `attempts`: requests for the diagnosis that
    were sent. `stage_seconds`: `prepare` (read, scale and hash photos), `upload` (of those that went ahead), `infer`
    (all attempts and the waits between them), `total`.
    """

    diagnosis: Diagnosis
    request_id: str
    idempotency_key: uuid.UUID
    replayed: bool
    attempts: int
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
