"""A caller who goes away in the middle: the work ends, whatever becomes of the key."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from frond.types import MultipartDetails
from gateway.auth.protocols import Caller
from gateway.deadline import Deadline
from gateway.diagnoses.protocols import Answer, Claim, Claimed, Found, Order, Photo
from gateway.diagnoses.service import DiagnosisService
from gateway.errors import ModelFailedError
from gateway.memory import Memory, Share
from gateway.metrics import Metrics
from tests.gateways import ALICE, DETAILS, FakeDiagnoser, png, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator


class Store:
    """Every key is free; a release takes until the test lets it, and fails when told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.released = asyncio.Event()
        self.releasing = asyncio.Event()
        self.is_claimed = False

    async def claim(self, claim: Claim, *, may_start: bool) -> Claimed:  # noqa: ARG002
        self.is_claimed = True
        await asyncio.sleep(0)
        return Claimed(Found.CLAIMED)

    async def complete(self, claim: Claim, answer: Answer) -> Answer:  # noqa: ARG002
        await asyncio.sleep(0)
        self.is_claimed = False
        return answer

    async def release(self, claim: Claim, *, unless_awaited: bool = False) -> bool:  # noqa: ARG002
        self.releasing.set()
        await self.released.wait()
        if self.error is not None:
            raise self.error
        self.is_claimed = False
        return True


class Nothing:
    """No uploads, and no announcements."""

    def check_owner(self, caller: Caller, url: str, sha256: str) -> None:
        raise NotImplementedError

    async def load(self, caller: Caller, url: str, sha256: str, size_bytes: int) -> bytes:
        raise NotImplementedError

    @contextmanager
    def expect(self, claim: Claim) -> Iterator[asyncio.Event]:  # noqa: ARG002
        yield asyncio.Event()


def order() -> Order:
    photo, details = png(), MultipartDetails.model_validate(DETAILS)
    photos = (Photo(sha256(photo), len(photo), None, photo),)
    deadline, share = Deadline.after(60), Share(Memory(len(photo)), ALICE)
    return Order(Caller(ALICE, "{}"), uuid.uuid4(), "request-1", time.monotonic(), deadline, details, photos, share)


def request_of(store: Store, diagnoser: FakeDiagnoser) -> asyncio.Task[Answer]:
    return asyncio.create_task(DiagnosisService(store, Nothing(), Nothing(), diagnoser, Metrics()).answer(order()))


@pytest.mark.parametrize("error", [None, RuntimeError("a bug")], ids=["released", "not released"])
@pytest.mark.parametrize("times", [1, 2])
async def test_the_work_is_over_when_the_request_is(error: Exception | None, times: int) -> None:
    store, diagnoser = Store(error), FakeDiagnoser()
    diagnoser.gate = asyncio.Event()
    request = request_of(store, diagnoser)
    await diagnoser.waiting.wait()
    for _ in range(times):
        request.cancel()
        await store.releasing.wait()
    store.released.set()
    with pytest.raises((asyncio.CancelledError, RuntimeError)):
        await request
    assert diagnoser.was_cancelled


@pytest.mark.parametrize("error", [None, ModelFailedError("once")], ids=["answered", "failed"])
async def test_whenever_the_caller_goes_away_the_key_is_answered_or_free(error: Exception | None) -> None:
    is_over, steps = False, 0
    while not is_over:
        store, diagnoser = Store(), FakeDiagnoser()
        store.released.set()
        diagnoser.error = error
        request = request_of(store, diagnoser)
        for _ in range(steps):
            await asyncio.sleep(0)
        is_over = request.done()
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
        assert not store.is_claimed, f"after {steps} steps"
        steps += 1
    assert steps > 10
