"""Bodies that come in pieces, and how slowly they may."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import pytest
from starlette.requests import Request

from frond.types import UploadRequest
from gateway import body
from gateway.body import GRACE_SECONDS, MIN_BYTES_PER_SECOND, Pace
from gateway.deadline import Deadline
from gateway.errors import DeadlineError, InvalidRequestError
from gateway.memory import Memory, Share
from tests.gateways import ALICE

if TYPE_CHECKING:
    from starlette.types import Message


def test_a_body_may_stall_for_a_while_and_trickle_no_longer() -> None:
    pace, now = Pace(Deadline.after(3600)), time.monotonic()
    assert pace.until(0).at - now == pytest.approx(GRACE_SECONDS, abs=1)
    assert pace.until(100 * MIN_BYTES_PER_SECOND).at - now == pytest.approx(GRACE_SECONDS + 100, abs=1)


def test_a_body_that_comes_fast_has_until_the_deadline() -> None:
    deadline = Deadline.after(60)
    assert Pace(deadline).until(20 * 1024 * 1024) == deadline


def trickling(seconds: float) -> Request:
    """A byte each so many seconds, without end."""

    async def receive() -> Message:
        await asyncio.sleep(seconds)
        return {"type": "http.request", "body": b"x", "more_body": True}

    return Request({"type": "http", "headers": []}, receive)


def test_a_message_repeats_no_more_than_the_start_of_an_unknown_name() -> None:
    with pytest.raises(InvalidRequestError) as raised:
        body.validate(UploadRequest, json.dumps({"x" * 60_000: 1}).encode())
    assert "x" * 50 in str(raised.value)
    assert len(str(raised.value)) < 1000


async def test_a_body_that_trickles_is_given_up_long_before_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "GRACE_SECONDS", 0.2)
    started = time.monotonic()
    with pytest.raises(DeadlineError):
        await body.read(trickling(0.02), 1_000_000, Deadline.after(60), Share(Memory(1_000_000), ALICE))
    assert time.monotonic() - started < 10
