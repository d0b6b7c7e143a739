"""The clients' attempts, against a service in memory."""

from __future__ import annotations

import asyncio
import pickle
import threading
import time
import uuid
from dataclasses import replace
from typing import Any

import httpx2
import pytest

import frond
from frond.client import CloudInferenceClient
from frond.errors import (
    CloudAuthError,
    CloudInferenceError,
    CloudNetworkError,
    CloudServerError,
    CloudTimeoutError,
    CloudValidationError,
)
from frond.policy.retry import RetryPolicy
from frond.types import ErrorCategory, TelemetryKind
from tests.unit.sdk.services import BASE, OUT, PHOTO, Service, ok, order, refusal

KEY = uuid.UUID("11111111-1111-4111-8111-111111111111")


def unavailable() -> httpx2.Response:
    return refusal(503, **OUT)  # type: ignore[arg-type]


async def test_an_answer_at_once_is_one_attempt() -> None:
    service = Service()
    async with service.client() as client:
        prediction = await client.predict(order())
    assert prediction.diagnosis.predictions[0].condition == "Late blight"
    assert (prediction.attempts, prediction.replayed, prediction.request_id) == (1, False, "r-1")
    assert set(prediction.stage_seconds) == {"prepare", "infer", "total"}
    (request,) = service.requests
    assert request.headers["content-type"].startswith("multipart/form-data")
    assert PHOTO[:16] in request.content


async def test_every_attempt_has_the_same_key_and_body() -> None:
    service = Service([unavailable(), httpx2.ConnectError("reset"), ok()])
    async with service.client() as client:
        prediction = await client.predict(order())
    assert prediction.attempts == 3
    assert {request.headers["idempotency-key"] for request in service.requests} == {str(prediction.idempotency_key)}
    assert len({request.content for request in service.requests}) == 1
    assert len({request.headers["x-request-id"] for request in service.requests}) == 3


async def test_a_replayed_answer_is_said_to_be_one_and_flatters_no_times() -> None:
    async with Service([ok(**{"Idempotency-Replayed": "true"})]).client() as client:
        prediction = await client.predict(order())
        assert prediction.replayed
        assert client.telemetry.percentiles(TelemetryKind.IDEMPOTENCY_HIT) is not None
        assert client.telemetry.percentiles(TelemetryKind.CLOUD_INFERENCE_SUCCESS) is None


async def test_an_answer_that_was_lost_and_replayed_took_the_time_that_it_took() -> None:
    service = Service([httpx2.ReadError("reset"), ok(**{"Idempotency-Replayed": "true"})])
    async with service.client() as client:
        await client.predict(order())
        assert client.telemetry.percentiles(TelemetryKind.CLOUD_INFERENCE_SUCCESS) is not None


async def test_every_request_says_which_client_sent_it() -> None:
    service = Service()
    async with service.client() as client:
        await client.predict(order())
    assert service.requests[0].headers["user-agent"] == f"frond-python/{frond.__version__}"


@pytest.mark.parametrize("changes", [{"assessment_id": None}, {"plant_context": None}])
async def test_what_is_missing_is_refused_before_anything_is_sent(changes: dict[str, None]) -> None:
    service = Service()
    async with service.client() as client:
        with pytest.raises(CloudValidationError, match=f"{next(iter(changes))} is missing"):
            await client.predict(order(**changes))
    assert not service.requests


@pytest.mark.parametrize("category", ["validation", "auth", "timeout"])
async def test_a_final_error_is_one_attempt(category: str) -> None:
    service = Service([refusal(422, category, "some_code")])
    async with service.client() as client:
        with pytest.raises(CloudInferenceError) as caught:
            await client.predict(order())
    assert caught.value.category == ErrorCategory(category)
    assert len(service.requests) == 1


async def test_the_last_error_is_raised_when_attempts_are_used_up() -> None:
    service = Service([unavailable()])
    async with service.client(retry=RetryPolicy(max_attempts=3, base_seconds=0)) as client:
        with pytest.raises(CloudServerError) as caught:
            await client.predict(order())
    assert caught.value.code == "triton_unavailable"
    assert len(service.requests) == 3


async def test_a_wait_beyond_the_budget_is_not_begun() -> None:
    service = Service([refusal(503, **OUT | {"retryAfterMs": 60_000})])  # type: ignore[arg-type]
    started = time.monotonic()
    async with service.client() as client:
        with pytest.raises(CloudServerError) as caught:
            await client.predict(order())
    assert caught.value.retry_after == 60
    assert time.monotonic() - started < 4


async def test_a_refused_token_is_refreshed_once() -> None:
    service = Service([refusal(401, "auth", "token_expired"), ok()])
    async with service.client("old", lambda: "new") as client:
        prediction = await client.predict(order())
        assert prediction.attempts == 2
        assert [request.headers["authorization"] for request in service.requests] == ["Bearer old", "Bearer new"]
        await client.predict(order())
    assert service.requests[-1].headers["authorization"] == "Bearer new"


async def test_a_token_that_is_refused_again_is_an_error() -> None:
    service = Service([refusal(401, "auth", "token_expired")])
    async with service.client("old", lambda: "new") as client:
        with pytest.raises(CloudAuthError):
            await client.predict(order())
    assert len(service.requests) == 2


async def test_what_is_forbidden_is_no_reason_to_refresh() -> None:
    service = Service([refusal(403, "auth", "object_forbidden")])
    async with service.client("old", lambda: pytest.fail("asked")) as client:
        with pytest.raises(CloudAuthError):
            await client.predict(order())
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("error", "expected", "code"),
    [
        (httpx2.ConnectError("x"), CloudNetworkError, "connection_failed"),
        (httpx2.ConnectTimeout("x"), CloudNetworkError, "connect_timeout"),
        (httpx2.ReadError("x"), CloudNetworkError, "connection_lost"),
        (httpx2.WriteError("x"), CloudNetworkError, "connection_lost"),
        (httpx2.RemoteProtocolError("x"), CloudNetworkError, "connection_lost"),
        (httpx2.ProxyError("x"), CloudNetworkError, "connection_lost"),
        (httpx2.DecodingError("x"), CloudServerError, "answer_invalid"),
        (httpx2.LocalProtocolError("x"), CloudValidationError, "request_unsendable"),
        (OSError("x"), CloudNetworkError, "connection_lost"),
    ],
)
async def test_no_librarys_exception_comes_through(
    error: Exception, expected: type[CloudInferenceError], code: str
) -> None:
    async with Service([error]).client(retry=RetryPolicy(max_attempts=1)) as client:
        with pytest.raises(expected) as caught:
            await client.predict(order())
    assert caught.value.code == code
    assert caught.value.request_id is not None
    assert "x" not in str(caught.value).split()


async def test_the_deadline_ends_a_call_whatever_it_waits_for() -> None:
    service = Service(before=lambda: asyncio.sleep(30))
    async with service.client() as client:
        with pytest.raises(CloudTimeoutError) as caught:
            await client.predict(order(timeout_seconds=0.2))
    assert caught.value.code == "deadline_exceeded"


async def test_a_timeout_names_the_request_and_the_key_to_try_again_with() -> None:
    service = Service()
    waits = iter([30.0, 0.0])
    service.before = lambda: asyncio.sleep(next(waits))
    wanted = order(timeout_seconds=0.3)
    async with service.client() as client:
        with pytest.raises(CloudTimeoutError) as caught:
            await client.predict(wanted)
        error = caught.value
        prediction = await client.predict(replace(wanted, idempotency_key=error.idempotency_key, timeout_seconds=8))
    assert error.request_id == service.requests[0].headers["x-request-id"]
    assert error.idempotency_key == prediction.idempotency_key
    assert {request.headers["idempotency-key"] for request in service.requests} == {str(error.idempotency_key)}


@pytest.mark.parametrize(
    "reply", [unavailable(), refusal(422, "validation", "x"), httpx2.ConnectError("x"), httpx2.Response(502)]
)
async def test_every_error_of_a_call_names_its_key_and_its_last_request(reply: httpx2.Response | Exception) -> None:
    service = Service([reply])
    async with service.client() as client:
        with pytest.raises(CloudInferenceError) as caught:
            await client.predict(order())
    assert str(caught.value.idempotency_key) == service.requests[0].headers["idempotency-key"]
    assert caught.value.request_id in {"r-1", service.requests[-1].headers["x-request-id"]}


async def test_an_error_before_anything_was_sent_names_its_key_alone() -> None:
    key = uuid.uuid4()
    async with Service().client() as client:
        with pytest.raises(CloudValidationError) as caught:
            await client.predict(order(timeout_seconds=9, idempotency_key=key))
    assert (caught.value.idempotency_key, caught.value.request_id) == (key, None)


def test_an_error_can_be_sent_to_another_process() -> None:
    error = CloudServerError("out", code="overloaded", retryable=True, retry_after=1.5, request_id="r-1", status=503)
    error.idempotency_key = uuid.uuid4()
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  (our own)
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
    assert str(pickle.loads(pickle.dumps(frond.DeviceTimeoutError()))) == str(frond.DeviceTimeoutError())  # noqa: S301


async def test_a_timeout_says_what_went_wrong_before() -> None:
    service = Service([unavailable(), ok()])
    calls = iter([0.0, 30.0])
    service.before = lambda: asyncio.sleep(next(calls))
    async with service.client() as client:
        with pytest.raises(CloudTimeoutError) as caught:
            await client.predict(order(timeout_seconds=0.5))
    assert isinstance(caught.value.__cause__, CloudServerError)


async def test_a_token_callback_that_hangs_is_ended_by_the_deadline() -> None:
    async def never() -> str:
        await asyncio.sleep(30)
        return ""

    async with Service().client(never) as client:
        with pytest.raises(CloudTimeoutError):
            await client.predict(order(timeout_seconds=0.1))


async def test_a_cancelled_call_leaves_nothing_running() -> None:
    started = asyncio.Event()

    async def wait() -> None:
        started.set()
        await asyncio.sleep(30)

    async with Service(before=wait).client() as client:
        call = asyncio.create_task(client.predict(order()))
        await started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_closed_client_says_so() -> None:
    client = Service().client()
    await client.aclose()
    with pytest.raises(CloudValidationError) as caught:
        await client.predict(order())
    assert caught.value.code == "client_closed"


@pytest.mark.parametrize(
    "url", ["", "frond.test", "ftp://frond.test", "http://", "http://u:p@frond.test", "http://frond.test:port", 7]
)
def test_a_base_url_that_is_none_is_refused(url: Any) -> None:
    with pytest.raises(CloudValidationError) as caught:
        frond.AsyncCloudInferenceClient(url, "token")
    assert caught.value.code == "url_invalid"


async def test_a_path_below_the_base_url_is_kept() -> None:
    service = Service()
    client = frond.AsyncCloudInferenceClient(BASE + "/frond/", "token", options=service.options())
    async with client:
        await client.predict(order())
    assert service.requests[0].url.path == "/frond/v1/ai-inference"


class TestWithoutAnEventLoop:
    def client(self, service: Service) -> CloudInferenceClient:
        return CloudInferenceClient(BASE, "token", options=service.options())

    def test_a_call_waits_for_its_answer(self) -> None:
        with self.client(Service()) as client:
            assert client.predict(order()).attempts == 1

    def test_several_threads_may_use_it(self) -> None:
        with self.client(Service()) as client:
            results: list[int] = []
            threads = [
                threading.Thread(target=lambda: results.append(client.predict(order()).attempts)) for _ in range(8)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert results == [1] * 8

    def test_its_thread_ends_with_it(self) -> None:
        before = set(threading.enumerate())
        client = self.client(Service())
        (thread,) = set(threading.enumerate()) - before
        client.close()
        client.close()
        assert not thread.is_alive()
        with pytest.raises(CloudValidationError) as caught:
            client.predict(order())
        assert caught.value.code == "client_closed"

    def test_a_call_under_way_fails_when_another_thread_closes_the_client(self) -> None:
        started, failed = threading.Event(), []

        async def wait() -> None:
            started.set()
            await asyncio.sleep(30)

        client = self.client(Service(before=wait))

        def call() -> None:
            with pytest.raises(CloudValidationError) as caught:
                client.predict(order(idempotency_key=KEY))
            failed.append((caught.value.code, caught.value.idempotency_key))

        thread = threading.Thread(target=call)
        thread.start()
        started.wait()
        client.close()
        thread.join()
        assert failed == [("client_closed", KEY)]


class TestTheProgramsClient:
    def test_it_is_one_until_it_is_reset(self) -> None:
        try:
            first = frond.get_cloud_inference_client(BASE, "token")
            assert frond.get_cloud_inference_client() is first
            frond.reset_cloud_inference_client()
            assert frond.get_cloud_inference_client(BASE, "token") is not first
        finally:
            frond.reset_cloud_inference_client()
            frond.reset_cloud_inference_client()

    def test_it_comes_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FROND_URL", BASE)
        monkeypatch.setenv("FROND_TOKEN", "token")
        try:
            assert frond.get_cloud_inference_client().portal.is_open
        finally:
            frond.reset_cloud_inference_client()

    def test_what_is_missing_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("FROND_URL", raising=False)
        with pytest.raises(CloudValidationError, match="FROND_URL"):
            frond.get_cloud_inference_client(token="token")
