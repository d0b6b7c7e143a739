"""What `diagnose` adds to the traces of its requests: the stages of their batch, sent where Triton sends its own."""

from __future__ import annotations

import json
import os
import secrets
import threading
import urllib.request
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from case import Case

ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"  # as OpenTelemetry names it; a whole URL
QUEUED_SPANS = 2048  # some 2 MB; a collector that is out loses the oldest
SEND_EVERY_SECONDS = 1.0
EXPORT_SECONDS = 2.0
INTERNAL = 1  # SPAN_KIND_INTERNAL

Attributes = dict[str, int | str]


@dataclass(frozen=True, slots=True)
class Stage:
    """When it began, on the clock of all spans, and what it took."""

    began_ns: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Context:
    """A span by its ids, in hexadecimal (W3C Trace Context)."""

    trace_id: str
    span_id: str


def context_of(request: Any) -> Context | None:
    """Triton's span of this request; None: it is not traced, as most are not, or in words that nobody understands."""
    context = request.trace().get_context()
    if not context:
        return None
    try:
        _, trace_id, span_id, _ = json.loads(context)["traceparent"].split("-")
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return Context(trace_id, span_id)


class Spans:
    """Without a collector's URL in the environment nothing is made and nothing is sent."""

    def __init__(self, log_error: Callable[[str], None]) -> None:
        url = os.environ.get(ENDPOINT)
        self._exporter = Exporter(url, log_error) if url else None

    def record(self, cases: Iterable[Case], stages: Mapping[str, Stage]) -> None:
        """The stages of a batch, in the trace of each request that has one."""
        if self._exporter is None:
            return
        traced = [case for case in cases if case.context is not None]
        leaders: dict[str, Context] = {}  # by model: whose trace has the child call
        for case in traced:
            spans = {name: span_of(name, case.context, stage) for name, stage in stages.items()}
            if "infer" in spans:
                note_batch(spans["infer"], case, leaders)
            self._exporter.add(spans.values())

    def close(self) -> None:
        if self._exporter is not None:
            self._exporter.close()


def span_of(name: str, parent: Context | None, stage: Stage) -> dict[str, Any]:
    """As OTLP's JSON has it. The name is the stage's, after the model's: the gateway has an `infer` of its own."""
    assert parent is not None
    return {
        "traceId": parent.trace_id,
        "spanId": secrets.token_hex(8),
        "parentSpanId": parent.span_id,
        "name": f"diagnose.{name}",
        "kind": INTERNAL,
        "startTimeUnixNano": str(stage.began_ns),
        "endTimeUnixNano": str(stage.began_ns + round(stage.seconds * 1e9)),
        "attributes": [],
    }


def note_batch(span: dict[str, Any], case: Case, leaders: dict[str, Context]) -> None:
    """One child call serves the whole batch and can lie in one trace only: the others' spans link to that one."""
    span["attributes"] = attributes_of({"frond.batch.requests": case.company, "frond.photos": len(case.logits)})
    if case.company == 0:
        return
    leader = leaders.setdefault(case.served.model, Context(span["traceId"], span["spanId"]))
    if leader.span_id != span["spanId"]:
        span["links"] = [{"traceId": leader.trace_id, "spanId": leader.span_id}]


def attributes_of(values: Attributes) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"stringValue": value} if isinstance(value, str) else {"intValue": str(value)}}
        for key, value in values.items()
    ]


class Exporter:
    """Sends from a thread of its own, once a second; never fails and never blocks who adds."""

    def __init__(self, url: str, log_error: Callable[[str], None]) -> None:
        self._url = url
        self._log_error = log_error
        self._is_failing = False
        # The collector's address is the operator's word: a proxy meant for other traffic has no part in it.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._pending: deque[dict[str, Any]] = deque(maxlen=QUEUED_SPANS)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
        self._thread.start()

    def add(self, spans: Iterable[dict[str, Any]]) -> None:
        self._pending.extend(spans)

    def close(self) -> None:
        self._ending.set()
        self._thread.join(EXPORT_SECONDS)

    def _run(self) -> None:
        is_ending = False
        while not is_ending:
            is_ending = self._ending.wait(SEND_EVERY_SECONDS)
            spans = [self._pending.popleft() for _ in range(len(self._pending))]
            if spans:
                self._send(spans)

    def _send(self, spans: list[dict[str, Any]]) -> None:
        resource = {"attributes": attributes_of({"service.name": "frond-triton"})}
        scope = {"scope": {"name": "frond.diagnose"}, "spans": spans}
        body = json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}).encode()
        headers = {"Content-Type": "application/json"}
        try:
            request = urllib.request.Request(self._url, body, headers)  # noqa: S310  (the operator's own URL)
            self._opener.open(request, timeout=EXPORT_SECONDS).close()
            self._is_failing = False
        except Exception as error:  # noqa: BLE001  (whatever answers there, the thread must not end)
            if not self._is_failing:
                self._log_error(f"spans do not reach {self._url}: {error!r}")
            self._is_failing = True
