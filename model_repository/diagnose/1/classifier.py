"""Asks the Triton model of a release for the logits of all photos of a batch, in one call."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np
import triton_python_backend_utils as pb_utils
from case import Case, RefusalError, each

from preprocess.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

NO_TIMEOUT = 0


def classify(model: str, cases: list[Case]) -> None:
    """Fill in the logits of each case. Cases of one release have tensors of one size."""
    photos = [tensor for case in cases for tensor in case.readable()]
    rows = iter(_logits(model, np.stack(photos), cases) if photos else ())
    for case in cases:
        case.company = len(cases)
        case.logits = [tensor if isinstance(tensor, ImageError) else next(rows) for tensor in case.tensors]


def _logits(model: str, photos: NDArray[np.uint8], cases: list[Case]) -> NDArray[np.float32]:
    traced = next((case for case in cases if case.context is not None), cases[0])
    response = pb_utils.InferenceRequest(
        model_name=model,
        inputs=[pb_utils.Tensor("IMAGE", photos)],
        requested_output_names=["LOGITS"],
        timeout=_longest_wait_us(cases),
        trace=traced.request.trace(),  # one call serves many, and its spans can lie in one trace only
    ).exec()
    if response.has_error():
        pb_utils.Logger.log_error(f"{model} did not answer: {response.error().message()}")
        each(cases, Case.check_wanted)  # was it the time?
        raise RefusalError(pb_utils.TritonError.UNAVAILABLE, "The classifier is not available.")
    logits: NDArray[np.float32] = pb_utils.get_output_tensor_by_name(response, "LOGITS").as_numpy()
    return logits


def _longest_wait_us(cases: list[Case]) -> int:
    """The child call waits in the queue as long as it is of use to anyone in the batch."""
    deadlines = [math.inf if case.deadline is None else case.deadline for case in cases]
    seconds = max(deadlines) - time.monotonic()
    return NO_TIMEOUT if math.isinf(seconds) else max(1, int(seconds * 1e6))
