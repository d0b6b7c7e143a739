"""The requests of a run: of this process, and where this is locust's master, of all workers."""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import TYPE_CHECKING, Any

from loadtest.asking.answer import Sample
from loadtest.scenarios.outcome import LIMITED, NOISY

if TYPE_CHECKING:
    from collections.abc import Callable

FIELD = "frond"  # of a worker's report to its master


class Ledger:
    """Filled by the loop's thread, read by locust's; what one takes out while the other puts in lies in deques."""

    def __init__(self, *, is_worker: bool) -> None:
        self.samples: list[Sample] = []
        self._is_worker = is_worker
        self._untold = deque[Sample]()
        self._unsent = deque[Sample]()

    def record(self, sample: Sample) -> None:
        """A worker keeps nothing: its master has it."""
        (self._unsent if self._is_worker else self.samples).append(sample)
        self._untold.append(sample)

    def tell(self, fire: Callable[..., None]) -> None:
        """Locust's own figures of what is new: `fire` is its event `request`."""
        while self._untold:
            fire(**request_event(self._untold.popleft()))

    def report(self, client_id: str, data: dict[str, Any]) -> None:  # noqa: ARG002  (locust's signature)
        """What is new of a worker goes to the master."""
        data[FIELD] = [dataclasses.astuple(self._unsent.popleft()) for _ in range(len(self._unsent))]

    def take(self, client_id: str, data: dict[str, Any]) -> None:  # noqa: ARG002  (locust's signature)
        self.samples.extend(Sample(*fields) for fields in data.get(FIELD, ()))

    def clear(self) -> None:
        """For another run."""
        self.samples.clear()
        self._untold.clear()
        self._unsent.clear()


def request_event(sample: Sample) -> dict[str, Any]:
    """What a limit is meant to refuse is no failure, there either."""
    is_expected = sample.group == NOISY and sample.code in LIMITED
    name = "second sending" if sample.is_duplicate else "429, as expected" if is_expected else "diagnosis"
    failure = None if sample.is_ok or is_expected else sample.code
    return {
        "request_type": sample.kind,
        "name": name,
        "response_time": sample.seconds * 1000,
        "response_length": 0,
        "exception": failure,
        "context": {},
    }
