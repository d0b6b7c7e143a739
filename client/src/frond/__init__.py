"""Frond's client: a diagnosis for photos of a leaf, on the device or in the cloud, within a deadline.

Names are imported when they are first used: `frond.types`, which the service shares, needs no HTTP library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from frond.version import __version__ as __version__

if TYPE_CHECKING:
    from frond.async_client import AsyncCloudInferenceClient
    from frond.client import CloudInferenceClient
    from frond.configuration import ClientOptions
    from frond.coordinator import AsyncInferenceCoordinator, CoordinatorOptions
    from frond.decision import Decision, DecisionReason, InferenceResult
    from frond.device import OnnxDevicePredictor
    from frond.device_attempt import DevicePredictor
    from frond.errors import (
        CloudAuthError,
        CloudInferenceError,
        CloudNetworkError,
        CloudServerError,
        CloudTimeoutError,
        CloudValidationError,
        DeviceFailedError,
        DeviceInferenceError,
        DeviceTimeoutError,
        DeviceUnavailableError,
        FrondError,
    )
    from frond.exchange import Wire
    from frond.options import CloudPrediction, PredictOptions
    from frond.policy.photos import PhotoPolicy
    from frond.policy.retry import RetryPolicy
    from frond.reports import Reporting
    from frond.shared import get_cloud_inference_client, reset_cloud_inference_client
    from frond.sync_coordinator import InferenceCoordinator, run_inference
    from frond.telemetry import Percentiles, Telemetry
    from frond.types import (
        AbstainReason,
        ClientInfo,
        Diagnosis,
        ErrorCategory,
        FallbackReason,
        ImageDiagnosis,
        ImageReference,
        InferenceMode,
        PlantContext,
        Prediction,
        TelemetryEvent,
        TelemetryKind,
    )

__all__ = [
    "AbstainReason",
    "AsyncCloudInferenceClient",
    "AsyncInferenceCoordinator",
    "ClientInfo",
    "ClientOptions",
    "CloudAuthError",
    "CloudInferenceClient",
    "CloudInferenceError",
    "CloudNetworkError",
    "CloudPrediction",
    "CloudServerError",
    "CloudTimeoutError",
    "CloudValidationError",
    "CoordinatorOptions",
    "Decision",
    "DecisionReason",
    "DeviceFailedError",
    "DeviceInferenceError",
    "DevicePredictor",
    "DeviceTimeoutError",
    "DeviceUnavailableError",
    "Diagnosis",
    "ErrorCategory",
    "FallbackReason",
    "FrondError",
    "ImageDiagnosis",
    "ImageReference",
    "InferenceCoordinator",
    "InferenceMode",
    "InferenceResult",
    "OnnxDevicePredictor",
    "Percentiles",
    "PhotoPolicy",
    "PlantContext",
    "PredictOptions",
    "Prediction",
    "Reporting",
    "RetryPolicy",
    "Telemetry",
    "TelemetryEvent",
    "TelemetryKind",
    "Wire",
    "get_cloud_inference_client",
    "reset_cloud_inference_client",
    "run_inference",
]

_MODULES = {
    "frond.async_client": ["AsyncCloudInferenceClient"],
    "frond.client": ["CloudInferenceClient"],
    "frond.configuration": ["ClientOptions"],
    "frond.coordinator": ["AsyncInferenceCoordinator", "CoordinatorOptions"],
    "frond.decision": ["Decision", "DecisionReason", "InferenceResult"],
    "frond.device": ["OnnxDevicePredictor"],
    "frond.device_attempt": ["DevicePredictor"],
    "frond.exchange": ["Wire"],
    "frond.options": ["CloudPrediction", "PredictOptions"],
    "frond.policy.photos": ["PhotoPolicy"],
    "frond.policy.retry": ["RetryPolicy"],
    "frond.reports": ["Reporting"],
    "frond.shared": ["get_cloud_inference_client", "reset_cloud_inference_client"],
    "frond.sync_coordinator": ["InferenceCoordinator", "run_inference"],
    "frond.telemetry": ["Percentiles", "Telemetry"],
    "frond.types": [
        "AbstainReason",
        "ClientInfo",
        "Diagnosis",
        "ErrorCategory",
        "FallbackReason",
        "ImageDiagnosis",
        "ImageReference",
        "InferenceMode",
        "PlantContext",
        "Prediction",
        "TelemetryEvent",
        "TelemetryKind",
    ],
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _HOMES.get(name, "frond.errors")
    if name not in __all__:
        raise AttributeError(f"module 'frond' has no attribute {name!r}")
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return sorted(__all__)
