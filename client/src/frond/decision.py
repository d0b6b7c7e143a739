"""Where a diagnosis was made, why there, and what each stage took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from frond.errors import CloudInferenceError, DeviceInferenceError
    from frond.options import CloudPrediction
    from frond.types import Diagnosis, FallbackReason, InferenceMode


class DecisionReason(StrEnum):
    """Why the diagnosis is the one of `ran_on`."""

    DEVICE_ANSWERED = "device_answered"
    CLOUD_WANTED = "cloud_wanted"  # mode `cloud`
    FELL_BACK = "fell_back"  # `fallback_reason` says why
    HEDGE_WON = "hedge_won"  # the cloud, asked before the device gave up, was first
    CLOUD_DISABLED = "cloud_disabled"  # a device's answer of low confidence is better than none
    CLOUD_TOO_LATE = "cloud_too_late"  # likewise: there was too little time left for the cloud
    CLOUD_FAILED = "cloud_failed"  # likewise: `cloud_error` says why


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`stage_seconds`: `device`, `cloud`, the cloud's own stages as `cloud_…`, `total`; only those that were run."""

    mode: InferenceMode
    ran_on: Literal["device", "cloud"]
    reason: DecisionReason
    fallback_reason: FallbackReason | None = None
    device_error: DeviceInferenceError | None = None
    cloud_error: CloudInferenceError | None = None
    stage_seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceResult:
    """`cloud` is what the cloud said of its own way, where it was the cloud."""

    diagnosis: Diagnosis
    decision: Decision
    cloud: CloudPrediction | None = None
