"""One request to `diagnose` on its way through a batch: photos and options, then tensors, logits, and how it ends."""

from __future__ import annotations

import json
import time
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import triton_python_backend_utils as pb_utils
from spans import context_of

from preprocess.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from registry import Served
    from spans import Context

    from preprocess.tensor import ImageTensor

MAX_PHOTOS = 8
MAX_TOP_K = 100
DEFAULT_TOP_K = 5


class RefusalError(Exception):
    """Why a request gets no diagnosis; `code` is one of `TritonError`'s."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Case:
    """`served`, `tensors`, `logits` and `response` are filled in stage by stage; a case with a response is closed.

    `context`: its span, if it is traced. `company`: how many requests its child call was for.
    """

    served: Served

    def __init__(self, request: Any, received: float) -> None:
        self.request = request
        self.received = received  # time.monotonic(), when the batch came
        self.context: Context | None = None
        self.company = 0
        self.photos: list[bytes] = []
        self.top_k = DEFAULT_TOP_K
        self.version: str | None = None
        self.deadline: float | None = None
        self.tensors: list[ImageTensor | ImageError] = []
        self.logits: list[NDArray[np.float32] | ImageError] = []
        self.diagnosis: dict[str, Any] | None = None
        self.response: Any = None

    def read(self) -> None:
        """Take photos and options from the request. Options are parameters: see docs/decisions/0002."""
        self.context = context_of(self.request)
        photos = pb_utils.get_input_tensor_by_name(self.request, "IMAGES").as_numpy()
        if photos.shape[0] != 1 or not 1 <= photos.shape[1] <= MAX_PHOTOS:
            raise _invalid(
                f"IMAGES has the shape {list(photos.shape)}; it must be [1, n] with 1 to {MAX_PHOTOS} photos."
            )
        self.photos = photos[0].tolist()
        options = json.loads(self.request.parameters())
        self.top_k = _whole_number(options, "top_k", DEFAULT_TOP_K)
        if not 1 <= self.top_k <= MAX_TOP_K:
            raise _invalid(f"top_k is {self.top_k}; it must be between 1 and {MAX_TOP_K}.")
        if "budget_ms" in options:
            self.deadline = self.received + _whole_number(options, "budget_ms", 0) / 1000
        self.version = options.get("version")
        if not isinstance(self.version, str | None):
            raise _invalid(f"version is {self.version!r}; it must be a text.")

    def check_deadline(self) -> None:
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise RefusalError(pb_utils.TritonError.CANCELLED, "The budget was gone before the diagnosis.")

    def check_wanted(self) -> None:
        """Is there time left, and does the caller still wait?"""
        self.check_deadline()
        if self.request.is_cancelled():
            raise RefusalError(pb_utils.TritonError.CANCELLED, "The caller went away before the diagnosis.")

    def readable(self) -> list[ImageTensor]:
        return [tensor for tensor in self.tensors if not isinstance(tensor, ImageError)]

    def answer(self, diagnosis: dict[str, Any], timing_ms: dict[str, float]) -> None:
        self.diagnosis = diagnosis
        text = json.dumps({**diagnosis, "timingMs": timing_ms}, ensure_ascii=False).encode()
        output = pb_utils.Tensor("DIAGNOSIS", np.array([[text]], dtype=np.object_))
        self.response = pb_utils.InferenceResponse([output])

    def close(self) -> Any:
        """The response. Lets go of the request, whose photos lie in shared memory that grows but never shrinks."""
        self.request = None
        self.photos.clear()
        self.tensors.clear()
        return self.response

    def refuse(self, code: int, message: str) -> None:
        self.response = pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))


def open_cases(cases: list[Case]) -> list[Case]:
    return [case for case in cases if case.response is None]


def each(cases: list[Case], step: Callable[[Case], None]) -> None:
    """Do a step for every open case; one that fails closes that case alone."""
    for case in open_cases(cases):
        with guarded([case]):
            step(case)


@contextmanager
def guarded(cases: list[Case]) -> Iterator[None]:
    """A refusal is the answer to these cases; anything else is a bug, logged here and not shown to callers."""
    try:
        yield
    except RefusalError as refusal:
        for case in open_cases(cases):
            case.refuse(refusal.code, str(refusal))
    except Exception:  # noqa: BLE001
        pb_utils.Logger.log_error(traceback.format_exc())
        for case in open_cases(cases):
            case.refuse(pb_utils.TritonError.INTERNAL, "The diagnosis failed; the log says why.")


def _invalid(message: str) -> RefusalError:
    return RefusalError(pb_utils.TritonError.INVALID_ARG, message)


def _whole_number(options: dict[str, Any], name: str, default: int) -> int:
    value = options.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _invalid(f"{name} is {value!r}; it must be a whole number.")
    return value
