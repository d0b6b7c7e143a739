"""Calls to Triton: what is sent, what each status means, and how a lost Triton is found again."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import grpc
import pytest

from gateway.deadline import SLACK_SECONDS, Deadline
from gateway.errors import (
    DeadlineError,
    GatewayError,
    ModelAnswerError,
    ModelFailedError,
    ModelRequestError,
    ModelVersionUnavailableError,
    ModelVersionUnknownError,
    OverloadedError,
    TritonUnavailableError,
)
from gateway.inference.codec import Inquiry, varint
from gateway.inference.endpoint import Endpoint
from gateway.metrics import Metrics
from tests.fake_triton import FakeTriton, photos_of, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

UNKNOWN_MODEL = "Request for unknown model: 'diagnose' is not found"
UNSERVED_RELEASE = "The classifier is not available."
UNKNOWN_RELEASE = "There is no release '7'."


@pytest.fixture
def fake() -> FakeTriton:
    return FakeTriton()


@pytest.fixture
async def endpoint(fake: FakeTriton) -> AsyncIterator[Endpoint]:
    async with serving(fake) as address, opened(address) as endpoint:
        yield endpoint


@asynccontextmanager
async def opened(address: str) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint(address, None, Metrics())
    try:
        yield endpoint
    finally:
        await endpoint.close()


async def diagnose(endpoint: Endpoint, *photos: bytes, version: str | None = None, seconds: float = 5) -> bytes:
    return await endpoint.ask(Inquiry(photos or (b"photo",), 3, version, "request-1"), Deadline.after(seconds))


@pytest.mark.parametrize("photos", [(b"one",), (b"one", b"", bytes(range(256)) * 1000)], ids=len)
async def test_the_photos_arrive_as_they_are(endpoint: Endpoint, fake: FakeTriton, photos: tuple[bytes, ...]) -> None:
    await diagnose(endpoint, *photos)
    (request,) = fake.requests
    assert (request.model_name, request.id) == ("diagnose", "request-1")
    assert (request.inputs[0].name, request.inputs[0].datatype) == ("IMAGES", "BYTES")
    assert list(request.inputs[0].shape) == [1, len(photos)]
    assert photos_of(request) == list(photos)


async def test_eight_photos_of_twenty_megabytes_fit(endpoint: Endpoint, fake: FakeTriton) -> None:
    await diagnose(endpoint, *[bytes(20 * 1024 * 1024)] * 8, seconds=60)
    assert len(fake.requests[0].raw_input_contents[0]) == 8 * (20 * 1024 * 1024 + 4)


async def test_the_options_go_as_parameters_with_what_is_left_of_the_budget(
    endpoint: Endpoint, fake: FakeTriton
) -> None:
    await diagnose(endpoint, version="2", seconds=2)
    parameters = fake.requests[0].parameters
    assert parameters["top_k"].int64_param == 3
    assert parameters["version"].string_param == "2"
    assert 1000 < parameters["budget_ms"].int64_param <= 2000
    assert 1_000_000 < parameters["timeout"].int64_param <= 2_000_000


async def test_without_a_version_none_is_named(endpoint: Endpoint, fake: FakeTriton) -> None:
    await diagnose(endpoint)
    assert "version" not in fake.requests[0].parameters


@pytest.mark.parametrize(
    ("failure", "version", "expected"),
    [
        ((grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size"), None, TritonUnavailableError),
        ((grpc.StatusCode.NOT_FOUND, UNKNOWN_MODEL), None, TritonUnavailableError),
        ((grpc.StatusCode.NOT_FOUND, UNKNOWN_MODEL), "7", TritonUnavailableError),
        ((grpc.StatusCode.NOT_FOUND, UNKNOWN_RELEASE), "7", ModelVersionUnknownError),
        ((grpc.StatusCode.UNAVAILABLE, UNSERVED_RELEASE), "7", ModelVersionUnavailableError),
        ((grpc.StatusCode.UNAVAILABLE, UNSERVED_RELEASE), None, ModelVersionUnavailableError),
        ((grpc.StatusCode.INVALID_ARGUMENT, "bad"), None, ModelRequestError),
        ((grpc.StatusCode.CANCELLED, "shutting down"), None, TritonUnavailableError),
        ((grpc.StatusCode.DEADLINE_EXCEEDED, ""), None, DeadlineError),
        ((grpc.StatusCode.RESOURCE_EXHAUSTED, "full"), None, OverloadedError),
        ((grpc.StatusCode.INTERNAL, "Stub process is not healthy"), None, ModelFailedError),
        ((grpc.StatusCode.UNKNOWN, ""), None, ModelFailedError),
        ((grpc.StatusCode.UNIMPLEMENTED, ""), None, ModelFailedError),
    ],
    ids=str,
)
async def test_each_status_is_told_as_an_error_of_the_contract(
    endpoint: Endpoint,
    fake: FakeTriton,
    failure: tuple[grpc.StatusCode, str],
    version: str | None,
    expected: type[GatewayError],
) -> None:
    fake.failure = failure
    with pytest.raises(expected) as raised:
        await diagnose(endpoint, version=version)
    assert type(raised.value) is expected


@pytest.mark.parametrize("output", [b"abc", b"\x00"], ids=["three bytes", "one byte"])
async def test_an_output_too_short_for_its_length_is_no_answer(
    endpoint: Endpoint, fake: FakeTriton, output: bytes
) -> None:
    fake.output = output
    with pytest.raises(ModelAnswerError):
        await diagnose(endpoint)


async def test_the_deadline_ends_a_call_that_hangs(endpoint: Endpoint, fake: FakeTriton) -> None:
    fake.gate = asyncio.Event()
    started = time.monotonic()
    with pytest.raises(DeadlineError):
        await diagnose(endpoint, seconds=0.2)
    assert time.monotonic() - started < 1
    await asyncio.wait_for(fake.cancelled.wait(), 5)


async def test_a_model_that_finds_the_budget_gone_is_late(endpoint: Endpoint, fake: FakeTriton) -> None:
    fake.failure = (grpc.StatusCode.CANCELLED, "The budget was gone before the diagnosis.")
    with pytest.raises(DeadlineError):
        await diagnose(endpoint, seconds=SLACK_SECONDS)


async def test_no_call_begins_after_the_deadline(endpoint: Endpoint, fake: FakeTriton) -> None:
    with pytest.raises(DeadlineError):
        await diagnose(endpoint, seconds=0)
    assert fake.requests == []


async def test_who_stops_waiting_cancels_the_call_in_triton(endpoint: Endpoint, fake: FakeTriton) -> None:
    fake.gate = asyncio.Event()
    call = asyncio.create_task(diagnose(endpoint))
    await fake.arrived.wait()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await asyncio.wait_for(fake.cancelled.wait(), 5)


async def test_a_triton_that_goes_in_the_middle_is_unavailable_and_not_late() -> None:
    fake = FakeTriton()
    fake.gate = asyncio.Event()
    async with AsyncExitStack() as triton:
        address = await triton.enter_async_context(serving(fake))
        async with opened(address) as endpoint:
            call = asyncio.create_task(diagnose(endpoint))
            await fake.arrived.wait()
            await triton.aclose()
            with pytest.raises(TritonUnavailableError):
                await call


async def test_a_lost_triton_is_told_at_once_and_found_again_within_a_second() -> None:
    async with AsyncExitStack() as triton:
        address = await triton.enter_async_context(serving(FakeTriton()))
        async with opened(address) as endpoint:
            await diagnose(endpoint)
            await triton.aclose()
            for _ in range(5):  # failing often must not lengthen the pause before the next try
                started = time.monotonic()
                with pytest.raises(TritonUnavailableError):
                    await diagnose(endpoint)
                assert time.monotonic() - started < 0.5
                await asyncio.sleep(0.2)
            async with serving(FakeTriton(), address):
                assert await seconds_until_found(endpoint) < 1


async def seconds_until_found(endpoint: Endpoint) -> float:
    started = time.monotonic()
    while True:
        try:
            await diagnose(endpoint)
            return time.monotonic() - started
        except TritonUnavailableError:
            assert time.monotonic() - started < 5
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(("value", "expected"), [(0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02")])
def test_lengths_are_written_as_protobuf_does(value: int, expected: bytes) -> None:
    assert varint(value) == expected
