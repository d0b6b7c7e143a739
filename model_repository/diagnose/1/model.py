"""Photos in, diagnoses out: decodes a batch of requests, asks each release once, answers every request for itself."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import triton_python_backend_utils as pb_utils
from case import Case, RefusalError, each, guarded, open_cases
from classifier import classify
from metrics import Metrics
from registry import Registry
from spans import Spans, Stage

from preprocess.diagnosis import diagnose
from preprocess.errors import ImageError
from preprocess.release import ReleaseError
from preprocess.tensor import ImageTensor, to_tensor

if TYPE_CHECKING:
    from collections.abc import Iterator


class TritonPythonModel:
    """One instance; Triton starts a process for each and gives it one batch of requests at a time."""

    def initialize(self, args: dict[str, str]) -> None:
        parameters = json.loads(args["model_config"])["parameters"]
        self._decoders = ThreadPoolExecutor(int(parameters["decode_threads"]["string_value"]))
        self._registry = Registry(Path(args["model_repository"]).parent, pb_utils.Logger.log_error)
        self._metrics = Metrics(args["model_instance_name"])
        self._spans = Spans(pb_utils.Logger.log_error)

    def execute(self, requests: list[Any]) -> list[Any]:
        received = time.monotonic()
        cases = [Case(request, received) for request in requests]
        stages: dict[str, Stage] = {}
        self._registry.refresh()
        each(cases, self._accept)
        with timed(stages, "decode"):
            self._decode(cases)
        each(cases, Case.check_wanted)
        with timed(stages, "infer"):
            self._infer(cases)
        with timed(stages, "postprocess"):
            self._answer(cases, stages)
        self._report(cases, stages)
        return [case.close() for case in cases]

    def finalize(self) -> None:
        self._decoders.shutdown(cancel_futures=True)
        self._metrics.close()
        self._spans.close()

    def _accept(self, case: Case) -> None:
        case.read()
        try:
            case.served = self._registry.find(case.version)
        except KeyError:
            raise RefusalError(pb_utils.TritonError.NOT_FOUND, f"There is no release {case.version!r}.") from None
        except ReleaseError as error:
            pb_utils.Logger.log_error(str(error))
            raise RefusalError(pb_utils.TritonError.UNAVAILABLE, "The release cannot be served.") from error
        case.check_wanted()

    def _decode(self, cases: list[Case]) -> None:
        """All photos of the batch share the threads: eight of one request do not go in a row."""
        photos = {
            case: [self._decoders.submit(tensor_of, photo, case) for photo in case.photos] for case in open_cases(cases)
        }
        each(cases, lambda case: case.tensors.extend(photo.result() for photo in photos[case]))

    def _infer(self, cases: list[Case]) -> None:
        by_model: dict[str, list[Case]] = {}
        for case in open_cases(cases):
            by_model.setdefault(case.served.model, []).append(case)
        for model, group in by_model.items():
            with guarded(group):
                classify(model, group)

    def _answer(self, cases: list[Case], stages: dict[str, Stage]) -> None:
        """A request waits for all of its batch, so the batch's times count as its own."""
        timing_ms = {name: round(stage.seconds * 1000, 3) for name, stage in stages.items()}
        each(cases, lambda case: case.answer(diagnose(case.served.release, case.logits, case.top_k), timing_ms))

    def _report(self, cases: list[Case], stages: dict[str, Stage]) -> None:
        diagnoses = [case.diagnosis for case in cases if case.diagnosis]
        are_measured = {case.served.release.version: case.served.is_measured for case in cases if case.diagnosis}
        with guarded([]):
            seconds = {name: stage.seconds for name, stage in stages.items()}
            self._metrics.report(diagnoses, seconds if diagnoses else {}, are_measured)
            self._spans.record(cases, stages)


@contextmanager
def timed(stages: dict[str, Stage], name: str) -> Iterator[None]:
    began_ns, started = time.time_ns(), time.perf_counter()
    yield
    stages[name] = Stage(began_ns, time.perf_counter() - started)


def tensor_of(photo: bytes, case: Case) -> ImageTensor | ImageError:
    case.check_deadline()
    try:
        return to_tensor(photo, case.served.release.preprocessing)
    except ImageError as error:
        return error.with_traceback(None)  # whose frames hold the case, a cycle that keeps its photos until collected
