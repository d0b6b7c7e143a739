"""HTTP answers become results or typed errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frond.errors import CLASSES, CloudInferenceError, CloudServerError
from frond.policy.response import Answer, diagnosis_in, storage_failure, ticket_in
from frond.types import ErrorCategory
from tests.unit.sdk.answers import envelope, failure


def answer(content: Any, status: int = 200, **headers: str) -> Answer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def test_a_diagnosis_is_read() -> None:
    diagnosis, request_id = diagnosis_in(answer(envelope()))
    assert diagnosis.predictions[0].label == "Tomato___Late_blight"
    assert request_id == "r-1"


def test_a_field_that_a_later_service_adds_is_no_error() -> None:
    content = envelope()
    content["weather"] = "rain"
    content["result"]["soil"] = {"ph": 6}
    assert diagnosis_in(answer(content))[0].model.name == "classifier"


@pytest.mark.parametrize("category", list(ErrorCategory))
def test_each_category_has_its_class(category: ErrorCategory) -> None:
    with pytest.raises(CLASSES[category]) as caught:
        diagnosis_in(answer(failure(category=category, retryable=True, retryAfterMs=1500), 503))
    error = caught.value
    assert (error.category, error.code, error.retryable, error.retry_after) == (category, "some_code", True, 1.5)
    assert (error.request_id, error.status) == ("r-1", 503)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>Sign in to the hotel's network</html>",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        {"success": True, "requestId": "r", "result": None, "error": None},
        envelope() | {"success": False},
        envelope() | {"error": failure()["error"]},
        failure() | {"success": True},
        failure(category="weather"),
    ],
    ids=str,
)
def test_what_is_not_the_envelope_is_an_error_of_the_server(content: Any) -> None:
    with pytest.raises(CloudServerError) as caught:
        diagnosis_in(answer(content))
    assert caught.value.code == "answer_invalid"
    assert not caught.value.retryable


@pytest.mark.parametrize(("status", "retryable"), [(200, False), (302, False), (404, False), (429, True), (502, True)])
def test_something_in_between_is_retried_if_its_status_says_so(status: int, retryable: bool) -> None:
    with pytest.raises(CloudServerError) as caught:
        diagnosis_in(answer(b"Bad gateway", status, retry_after="2"))
    assert caught.value.retryable is retryable
    assert caught.value.retry_after == (2 if retryable else None)


@pytest.mark.parametrize("text", ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", "1.5", "", "٣"])
def test_a_retry_after_that_is_no_number_of_seconds_is_left_out(text: str) -> None:
    with pytest.raises(CloudServerError) as caught:
        diagnosis_in(answer(b"", 503, retry_after=text))
    assert caught.value.retry_after is None


@given(content=st.binary(max_size=200), status=st.integers(100, 599))
def test_whatever_bytes_come_back_the_error_is_ours(content: bytes, status: int) -> None:
    for read in (diagnosis_in, ticket_in):
        with pytest.raises(CloudInferenceError):
            read(answer(content, status))
    assert isinstance(storage_failure(answer(content, status)), CloudInferenceError)


def test_a_storage_that_is_not_ours_is_named_with_its_status() -> None:
    error = storage_failure(answer(b"<Error><Code>SlowDown</Code></Error>", 503))
    assert (error.code, error.retryable) == ("upload_failed", True)


def test_our_own_storage_says_why() -> None:
    error = storage_failure(answer(failure(category="auth", code="url_expired"), 403))
    assert (error.category, error.code) == (ErrorCategory.AUTH, "url_expired")
