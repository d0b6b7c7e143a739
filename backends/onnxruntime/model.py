"""Serves ONNX graphs where Triton's compiled onnxruntime backend is missing; each instance has a session."""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import triton_python_backend_utils as pb_utils
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument
from session import create_session, run_options
from signature import check_signature
from warmup import rehearse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Tensors = dict[str, NDArray[Any]]

# A batch goes through a CPU's session in runs of so many rows, whose activations then stay in the core's own cache.
# EfficientNet-Lite0, two sessions on two cores, rows/s: 303 one at a time, 294 by 2, 282 by 4, 260 by 8.
CPU_ROWS_PER_RUN = 1


class TritonPythonModel:
    """One instance of a model; Triton starts a process for each."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        folder, kind = Path(args["model_repository"], args["model_version"]), args["model_instance_kind"]
        self._session = create_session(config, folder, kind, args["model_instance_device_id"])
        check_signature(config, self._session.get_inputs(), self._session.get_outputs())
        rehearse(self._session, config)
        self._run_options = run_options(config)
        self._inputs = [tensor["name"] for tensor in config["input"]]
        self._max_batch_size = config["max_batch_size"]
        self._rows_per_run = self._max_batch_size if kind == "GPU" else CPU_ROWS_PER_RUN

    def execute(self, requests: list[Any]) -> list[Any]:
        if len(requests) > 1 and not self._max_batch_size:
            return self._one_by_one(requests)
        try:
            return self._answer(requests)
        except Exception as error:  # noqa: BLE001 — whatever the graph makes of the values in it
            if len(requests) > 1:  # one request is to blame; the others shall have their answers
                return self._one_by_one(requests)
            invalid = isinstance(error, InvalidArgument)
            code = pb_utils.TritonError.INVALID_ARG if invalid else pb_utils.TritonError.INTERNAL
            return [pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), code))]

    def _one_by_one(self, requests: list[Any]) -> list[Any]:
        return [response for request in requests for response in self.execute([request])]

    def _answer(self, requests: list[Any]) -> list[Any]:
        """Only the outputs that somebody wants are computed."""
        wanted = sorted({name for request in requests for name in request.requested_output_names()})
        feeds = {name: joined([input_of(request, name) for request in requests]) for name in self._inputs}
        results = self._run(wanted, feeds)
        shares = [results] if len(requests) == 1 else shared_out(results, [rows_of(request) for request in requests])
        return [
            pb_utils.InferenceResponse(
                [pb_utils.Tensor(name, share[name]) for name in request.requested_output_names()]
            )
            for request, share in zip(requests, shares, strict=True)
        ]

    def _run(self, wanted: list[str], feeds: Tensors) -> Tensors:
        runs = [self._session.run(wanted, part, self._run_options) for part in self._parts(feeds)]
        return {name: joined(parts) for name, parts in zip(wanted, zip(*runs, strict=True), strict=True)}

    def _parts(self, feeds: Tensors) -> list[Tensors]:
        if not self._max_batch_size:
            return [feeds]
        starts = range(0, len(feeds[self._inputs[0]]), self._rows_per_run)
        return [{name: rows[start : start + self._rows_per_run] for name, rows in feeds.items()} for start in starts]


def input_of(request: Any, name: str) -> NDArray[Any]:
    array: NDArray[Any] = pb_utils.get_input_tensor_by_name(request, name).as_numpy()
    return array


def rows_of(request: Any) -> int:
    return int(request.inputs()[0].shape()[0])


def joined(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def shared_out(results: Tensors, counts: list[int]) -> list[Tensors]:
    """To each request the rows that it sent."""
    ends = list(accumulate(counts))
    for name, result in results.items():
        if len(result) != ends[-1]:
            raise ValueError(f"The graph gives {len(result)} rows of '{name}' for {ends[-1]} rows of input.")
    return [
        {name: result[end - count : end] for name, result in results.items()}
        for end, count in zip(ends, counts, strict=True)
    ]
