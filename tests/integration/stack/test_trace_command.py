"""One request's trace, from an attempt of the SDK to the ONNX session, as `frond up` and `frond trace` make it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from cli.trace.spans import Span, rows_of
from stack.ports import free_ports
from tests.local_stack import LocalStack, local_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOCK_NS = 2_000_000  # Triton keeps its own offset between two clocks
LATE_NS = (
    100_000_000  # Triton's span ends when its answer is sent, and on a busy machine the gateway may have it before
)
GATEWAY = "frond-gateway"
TRITON = "frond-triton"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    (port,) = free_ports(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FROND_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        patch.setenv("FROND_TRACE_SAMPLE_RATIO", "1")
        with local_stack(tmp_path_factory.mktemp("traced")) as running:
            yield running


@pytest.fixture(scope="module", params=["multipart", "signed URLs"])
def spans(stack: LocalStack, request: pytest.FixtureRequest) -> list[Span]:
    finished = stack.frond("trace", "--json", *(["--upload"] if request.param == "signed URLs" else []))
    assert finished.returncode == 0, finished.stderr
    return [Span(**{**each, "links": tuple(each["links"])}) for each in json.loads(finished.stdout)]


def path_of(span: Span, spans: list[Span]) -> tuple[str, ...]:
    """Services and names from the root to the span."""
    parents = {each.span_id: each for each in spans}
    above = path_of(parents[span.parent_id], spans) if span.parent_id else ()
    return (*above, f"{span.service} {span.name}")


ATTEMPT = ("app frond.predict", "app POST /v1/ai-inference", f"{GATEWAY} POST /v1/ai-inference")
IN_TRITON = (*ATTEMPT, f"{GATEWAY} infer", f"{TRITON} InferRequest", f"{TRITON} diagnose")


def test_every_part_of_the_request_has_its_span_below_the_one_that_asked_for_it(spans: list[Span]) -> None:
    paths = {path_of(span, spans) for span in spans}
    stages = ("body", "claim", "validate", "infer", "complete")
    assert {(*ATTEMPT, f"{GATEWAY} {stage}") for stage in stages} <= paths
    assert any(path[-1] == f"{GATEWAY} auth" for path in paths)  # once a token: of an upload where there is one
    assert {(*IN_TRITON, f"{TRITON} diagnose.{stage}") for stage in ("decode", "infer", "postprocess")} <= paths
    assert (*IN_TRITON, f"{TRITON} compute") in paths
    assert (*IN_TRITON, f"{TRITON} classifier", f"{TRITON} compute") in paths


def test_it_is_one_trace(spans: list[Span]) -> None:
    assert len({span.trace_id for span in spans}) == 1
    assert [span.name for span in spans if not span.parent_id] == ["frond.predict"]


def test_photos_named_by_url_are_fetched_in_the_same_trace(spans: list[Span]) -> None:
    has_uploaded = any(span.name == "PUT photo" for span in spans)
    fetched = [path_of(span, spans) for span in spans if span.name == "fetch"]
    assert fetched == ([(*ATTEMPT, f"{GATEWAY} fetch")] if has_uploaded else [])


def test_what_a_span_took_lies_within_what_asked_for_it(spans: list[Span]) -> None:
    parents = {span.span_id: span for span in spans}
    for span in spans:
        if span.parent_id:
            parent = parents[span.parent_id]
            assert parent.began_ns - CLOCK_NS <= span.began_ns <= span.ended_ns <= parent.ended_ns + LATE_NS, span


def test_the_wait_in_tritons_queues_is_noted(spans: list[Span]) -> None:
    for model in ("diagnose", "classifier"):
        (row,) = (row for row in rows_of(spans) if row.span.service == TRITON and row.span.name == model)
        assert row.queued_ns is not None
        assert row.span.began_ns <= row.queued_ns[0] <= row.queued_ns[1] <= row.span.ended_ns


def test_the_picture_has_a_row_for_each_span(stack: LocalStack) -> None:
    picture = stack.state_dir / "trace.svg"
    finished = stack.frond("trace", "--svg", str(picture))
    assert finished.returncode == 0, finished.stderr
    names = {line.split()[0] for line in finished.stdout.splitlines()}
    texts = {each.text for each in ET.parse(picture).iter("{http://www.w3.org/2000/svg}text")}  # noqa: S314
    assert {"frond.predict", "InferRequest", "classifier", "diagnose.decode"} <= names & texts
