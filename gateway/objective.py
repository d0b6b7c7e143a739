"""Whether diagnoses are answered within their deadlines: what the objective counts, and what it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from frond.types import ErrorCategory
from gateway.errors import ClientGoneError, DeadlineError, GatewayError

if TYPE_CHECKING:
    from types import TracebackType

    from prometheus_client import Counter

    from gateway.deadline import Deadline

    Outcome = Literal["met", "missed", "hurried"]

# The coordinator goes to the cloud only with more than this left: who leaves us less has missed the deadline himself.
FAIR_SECONDS = 1.0
# The SDK ends a call at its own deadline, which comes before ours: it named what was left before it connected. What a
# phone takes for that is mostly less than this. Who hangs up with so little left was not answered in time.
HANG_UP_SECONDS = 0.5
OVER_THE_RATE = 429
NOT_OURS = frozenset({ErrorCategory.VALIDATION, ErrorCategory.AUTH})


class Promise:
    """A context around one request for a diagnosis; counted when it ends, if it is ours to keep."""

    __slots__ = ("_counter", "_deadline", "_is_fair")

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._deadline: Deadline | None = None  # None: the request is not all here yet
        self._is_fair = False

    def begin(self, deadline: Deadline) -> None:
        """The whole request is here; from now on the time is ours."""
        self._deadline, self._is_fair = deadline, deadline.has(FAIR_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if (outcome := self._outcome(error)) is not None:
            self._counter.labels(outcome).inc()

    def _outcome(self, error: BaseException | None) -> Outcome | None:
        if error is None and self._has(0):
            return "met"
        if isinstance(error, ClientGoneError):
            if self._has(HANG_UP_SECONDS):
                return None
        elif isinstance(error, GatewayError) and (error.category in NOT_OURS or error.status == OVER_THE_RATE):
            return None
        if self._deadline is None:
            return "hurried" if isinstance(error, DeadlineError) else "missed"
        return "missed" if self._is_fair else "hurried"

    def _has(self, seconds: float) -> bool:
        """As long as the request is not all here nobody can say what its caller has left."""
        return self._deadline is None or self._deadline.has(seconds)
