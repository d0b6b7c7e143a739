"""Asks `diagnose` as the gateway does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from tritonclient.grpc import InferInput

if TYPE_CHECKING:
    from collections.abc import Sequence


def ask(
    client: Any,
    photos: Sequence[bytes],
    client_timeout: float | None = None,
    queue_timeout_us: int | None = None,
    **parameters: str | float | bool,
) -> dict[str, Any]:
    """The diagnosis of one assessment; raises `InferenceServerException`."""
    images = InferInput("IMAGES", [1, len(photos)], "BYTES")
    images.set_data_from_numpy(np.array([list(photos)], dtype=np.object_))
    answer = client.infer(
        "diagnose", [images], parameters=parameters, timeout=queue_timeout_us, client_timeout=client_timeout
    )
    diagnosis: dict[str, Any] = json.loads(answer.as_numpy("DIAGNOSIS")[0, 0])
    return diagnosis
