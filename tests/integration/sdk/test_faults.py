"""Whatever happens on the way, to either client: the category, the attempts, the end in time, one stored answer."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import uuid
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from frond.errors import (
    CloudAuthError,
    CloudInferenceError,
    CloudNetworkError,
    CloudServerError,
    CloudTimeoutError,
)
from frond.exchange import Wire
from frond.options import CloudPrediction
from frond.policy.photos import PhotoPolicy
from frond.policy.retry import RetryPolicy
from tests.gateways import png
from tests.integration.sdk import faults
from tests.integration.sdk.conftest import Service, order

T = TypeVar("T")

PHOTO = png()
# More than the buffers between client and proxy hold, so that writing stalls.
LARGE_PHOTO = png(metadata=os.urandom(6_000_000))
AS_IT_IS = PhotoPolicy(removes_metadata=False)
LATENESS_SECONDS = 0.1
TRIES = RetryPolicy(max_attempts=3, base_seconds=0.01, cap_seconds=0.02)
OVERLOADED = (
    b'{"success": false, "requestId": "r-1", "result": null, "error": {"category": "server", "code": "overloaded",'
    b' "message": "Try again.", "retryable": true, "retryAfterMs": 50}}'
)


@pytest.fixture(params=[False, True], ids=["with a loop", "without a loop"])
def service(service: Service, request: pytest.FixtureRequest) -> Service:
    return replace(service, waits=request.param)


def http(status: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


async def in_time(work: Awaitable[T], seconds: float) -> T:
    """What comes of it, held to be there within 100 ms of the deadline.

    Measured beside a timer of the same length on the same loop, which a busy machine makes late as well.
    """
    loop = asyncio.get_running_loop()

    async def wait() -> float:
        await asyncio.sleep(seconds)
        return loop.time()

    timer = asyncio.create_task(wait())
    try:
        return await work
    finally:
        ended = loop.time()
        was_early = not timer.done()
        timer.cancel()
        assert was_early or ended - timer.result() < LATENESS_SECONDS


TRANSIENT = {
    "reset at once": faults.reset_at_once,
    "reset within the request": faults.reset_in_request,
    "reset within the answer": faults.reset_in_reply,
    "garbage instead of HTTP": faults.say(b"\x16\x03\x01 no HTTP at all\r\n\r\n"),
    "closed without a word": faults.say(b""),
    "503 of the service": faults.say(http("503 Service Unavailable", OVERLOADED)),
    "502 of something in between": faults.say(http("502 Bad Gateway", b"<html>bad gateway</html>")),
}
FINAL: dict[str, tuple[faults.Fault, type[CloudInferenceError], str]] = {
    "reset at once": (faults.reset_at_once, CloudNetworkError, "connection_lost"),
    "reset within the request": (faults.reset_in_request, CloudNetworkError, "connection_lost"),
    "garbage instead of HTTP": (TRANSIENT["garbage instead of HTTP"], CloudNetworkError, "connection_lost"),
    "503 of the service": (TRANSIENT["503 of the service"], CloudServerError, "overloaded"),
    "502 of something in between": (TRANSIENT["502 of something in between"], CloudServerError, "answer_invalid"),
}
STALLS = {
    "within the request": faults.stall_in_request,
    "before the answer": faults.stall_before_reply,
    "within the answer": faults.stall_in_reply,
    "slow trickle": faults.trickle_reply,
}


@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT)
async def test_a_passing_fault_costs_one_more_attempt(service: Service, fault: faults.Fault) -> None:
    service.proxy.faults.append(fault)
    async with service.caller() as client:
        prediction = await in_time(client.predict(order(PHOTO)), 8)
    assert prediction.attempts == 2
    assert await service.statuses_of(prediction.idempotency_key) == ["completed"]
    assert len(service.diagnoser.asked) == 1
    assert prediction.replayed is (fault is faults.reset_in_reply)


@pytest.mark.parametrize(("fault", "expected", "code"), FINAL.values(), ids=FINAL)
async def test_a_lasting_fault_is_its_category_after_the_last_attempt(
    service: Service, fault: faults.Fault, expected: type[CloudInferenceError], code: str
) -> None:
    service.proxy.faults.extend([fault] * 5)
    key = uuid.uuid4()
    async with service.caller(retry=TRIES) as client:
        with pytest.raises(expected) as caught:
            await in_time(client.predict(order(PHOTO, idempotency_key=key)), 8)
    assert (caught.value.code, caught.value.retryable) == (code, True)
    assert len(service.proxy.faults) == 5 - TRIES.max_attempts
    assert await service.statuses_of(key) == []


@pytest.mark.parametrize(
    "body", [b"<html>Sign in to this network</html>", b"{}", b"\xff"], ids=["html", "json", "bytes"]
)
async def test_a_200_that_is_not_ours_is_an_error_of_the_server_at_once(service: Service, body: bytes) -> None:
    service.proxy.faults.append(faults.say(http("200 OK", body)))
    async with service.caller() as client:
        with pytest.raises(CloudServerError) as caught:
            await client.predict(order(PHOTO))
    assert caught.value.code == "answer_invalid"


async def test_an_answer_without_end_is_not_read_to_its_end(service: Service) -> None:
    service.proxy.faults.append(faults.flood)
    async with service.caller() as client:
        with pytest.raises(CloudServerError) as caught:
            await in_time(client.predict(order(PHOTO)), 8)
    assert caught.value.code == "answer_invalid"


@pytest.mark.parametrize("fault", STALLS.values(), ids=STALLS)
async def test_the_deadline_ends_every_stage(service: Service, fault: faults.Fault) -> None:
    service.proxy.faults.append(fault)
    key = uuid.uuid4()
    wanted = order(LARGE_PHOTO, idempotency_key=key, timeout_seconds=0.8, delivery="multipart")
    async with service.caller(photos=AS_IT_IS) as client:
        with pytest.raises(CloudTimeoutError) as caught:
            await in_time(client.predict(wanted), 0.8)
    assert caught.value.code == "deadline_exceeded"
    assert len(await service.statuses_of(key)) <= 1


@pytest.mark.parametrize("trigger", [faults.TICKET, faults.PUT], ids=["ticket", "photo"])
@pytest.mark.parametrize("fault", STALLS.values(), ids=STALLS)
async def test_the_deadline_ends_an_upload_at_every_stage(
    service: Service, fault: faults.Fault, trigger: bytes
) -> None:
    service.proxy.trigger = trigger
    service.proxy.faults.append(fault)
    async with service.caller(photos=AS_IT_IS) as client:
        wanted = order(LARGE_PHOTO, timeout_seconds=0.8, delivery="signed_urls")
        with pytest.raises(CloudTimeoutError):
            await in_time(client.predict(wanted), 0.8)


@pytest.mark.parametrize("trigger", [faults.TICKET, faults.PUT], ids=["ticket", "photo"])
@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT)
async def test_a_passing_fault_within_an_upload_is_passed_over(
    service: Service, fault: faults.Fault, trigger: bytes
) -> None:
    service.proxy.trigger = trigger
    service.proxy.faults.append(fault)
    async with service.caller() as client:
        prediction = await client.predict(order(PHOTO, delivery="signed_urls"))
    assert prediction.attempts == 1
    assert not service.proxy.faults


@contextmanager
def port_that_does_not_answer() -> Iterator[int]:
    """A listener whose queue of connections is full: the kernel lets further ones wait."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        try:
            yield listener.getsockname()[1]
        finally:
            for each in waiting:
                each.close()


async def test_a_connection_that_is_not_made_is_given_up_and_tried_again(service: Service) -> None:
    with port_that_does_not_answer() as port:
        url, wire = f"http://127.0.0.1:{port}", Wire(connect_seconds=0.2)
        async with service.caller(url=url, wire=wire, retry=TRIES) as client:
            with pytest.raises(CloudNetworkError) as caught:
                await in_time(client.predict(order(PHOTO)), 8)
    assert caught.value.code == "connect_timeout"


async def test_the_deadline_ends_a_connection_that_is_not_made(service: Service) -> None:
    with port_that_does_not_answer() as port:
        async with service.caller(url=f"http://127.0.0.1:{port}") as client:
            with pytest.raises(CloudTimeoutError):
                await in_time(client.predict(order(PHOTO, timeout_seconds=0.3)), 0.3)


async def test_a_refused_connection_is_an_error_of_the_network(service: Service) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with service.caller(url=url, retry=TRIES) as client:
            with pytest.raises(CloudNetworkError) as caught:
                await client.predict(order(PHOTO))
    assert (caught.value.code, caught.value.retryable) == ("connection_failed", True)


async def test_an_expired_token_is_refreshed_and_the_call_goes_on(service: Service) -> None:
    expired, fresh = service.key.token(exp=timedelta(hours=-1)), service.key.token()
    async with service.caller(expired, lambda: fresh) as client:
        assert (await client.predict(order(PHOTO))).attempts == 2
        uploaded = await client.upload_images([PHOTO])
        assert (await client.predict(order(*uploaded))).attempts == 1
    async with service.caller(expired) as client:
        with pytest.raises(CloudAuthError) as caught:
            await client.predict(order(PHOTO))
    assert caught.value.code == "token_expired"


async def test_calls_share_a_connection(service: Service) -> None:
    async with service.caller() as client:
        for _ in range(5):
            await client.predict(order(PHOTO))
        await client.predict(order(PHOTO, delivery="signed_urls"))
    assert service.proxy.connections == 1


async def test_no_key_ever_has_two_answers(service: Service) -> None:
    """Sixty calls under thirty keys, two at a time for each, through faults drawn by lot."""
    lot = random.Random(4)
    service.proxy.faults.extend(lot.choices([*TRANSIENT.values()], k=80))
    keys = [uuid.uuid4() for _ in range(30)]
    async with service.caller() as client:
        calls = (client.predict(order(PHOTO, idempotency_key=key)) for key in keys * 2)
        outcomes: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, CloudPrediction | CloudInferenceError) for outcome in outcomes)
    stored = [await service.statuses_of(key) for key in keys]
    assert all(len(statuses) <= 1 for statuses in stored)
    answered = {outcome.idempotency_key for outcome in outcomes if isinstance(outcome, CloudPrediction)}
    assert len(answered) > 15
    assert all(statuses == ["completed"] for key, statuses in zip(keys, stored, strict=True) if key in answered)
