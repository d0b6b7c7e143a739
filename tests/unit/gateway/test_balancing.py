"""Several Tritons: who is asked, who steps in, and what is told when nobody can."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import grpc
import pytest

from gateway.deadline import Deadline
from gateway.errors import (
    DeadlineError,
    ModelFailedError,
    ModelVersionUnavailableError,
    OverloadedError,
    TritonUnavailableError,
)
from gateway.inference import balancer as balancer_module
from gateway.inference.addresses import Addresses
from gateway.inference.balancer import Balancer, follow
from gateway.inference.endpoint import Endpoint
from gateway.metrics import Metrics
from tests.fake_triton import FakeTriton, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

    from gateway.diagnoses.protocols import ModelAnswer

NOBODY = "127.0.0.1:1"
UNSERVED = (grpc.StatusCode.UNAVAILABLE, "The classifier is not available.")


@asynccontextmanager
async def balancing(*addresses: str, metrics: Metrics | None = None) -> AsyncIterator[Balancer]:
    """Every address has been probed once."""
    balancer = Balancer(partial(Endpoint, probe_version=None, metrics=metrics or Metrics()))
    balancer.update(addresses)
    try:
        async with asyncio.timeout(10):
            await asyncio.gather(*(endpoint.tried.wait() for endpoint in balancer.endpoints.values()))
        yield balancer
    finally:
        await balancer.close()


async def diagnose(balancer: Balancer, version: str | None = None, seconds: float = 5) -> ModelAnswer:
    return await balancer.diagnose([b"photo"], 3, version, "request-1", Deadline.after(seconds))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (what is waited for is plain state)
            await asyncio.sleep(0.01)


async def test_who_has_the_least_in_flight_is_asked() -> None:
    busy, idle = FakeTriton(), FakeTriton()
    async with serving(busy) as first, serving(idle) as second, balancing(first, second) as balancer:
        busy.gate = asyncio.Event()
        idle.gate = asyncio.Event()
        calls = [asyncio.create_task(diagnose(balancer)) for _ in range(6)]
        await until(lambda: len(busy.requests) + len(idle.requests) == 6)
        assert len(busy.requests) == len(idle.requests) == 3
        idle.gate.set()
        await until(lambda: sum(call.done() for call in calls) == 3)
        for _ in range(3):
            await diagnose(balancer)
        assert len(busy.requests) == 3
        busy.gate.set()
        await asyncio.gather(*calls)


async def test_who_has_as_little_in_flight_is_asked_in_turns() -> None:
    fakes = FakeTriton(), FakeTriton(), FakeTriton()
    async with AsyncExitStack() as servers:
        addresses = [await servers.enter_async_context(serving(fake)) for fake in fakes]
        async with balancing(*addresses) as balancer:
            for _ in range(9):
                await diagnose(balancer)
    assert [len(fake.requests) for fake in fakes] == [3, 3, 3]


async def test_what_one_had_in_flight_as_it_died_is_answered_by_the_other() -> None:
    dying, living = FakeTriton(), FakeTriton()
    async with AsyncExitStack() as grave, serving(living) as second:
        first = await grave.enter_async_context(serving(dying))
        async with balancing(first, second) as balancer:
            dying.gate = asyncio.Event()
            calls = [asyncio.create_task(diagnose(balancer)) for _ in range(8)]
            await until(lambda: len(dying.requests) == 4)
            await grave.aclose()
            assert len(await asyncio.gather(*calls)) == 8
            await until(lambda: not balancer.endpoints[first].is_closed)
            for _ in range(5):
                await diagnose(balancer)
            assert len(dying.requests) == 4


@pytest.mark.parametrize("failure", [UNSERVED, (grpc.StatusCode.UNAVAILABLE, "Server is stopping")], ids=str)
async def test_each_address_is_asked_once_and_then_the_caller_is_told(failure: tuple[grpc.StatusCode, str]) -> None:
    fakes = FakeTriton(), FakeTriton()
    async with serving(fakes[0]) as first, serving(fakes[1]) as second, balancing(first, second) as balancer:
        for fake in fakes:
            fake.failure = failure
        with pytest.raises((TritonUnavailableError, ModelVersionUnavailableError)):
            await diagnose(balancer)
        assert [len(fake.requests) for fake in fakes] == [1, 1]


async def test_a_request_that_breaks_one_model_is_not_shown_to_the_next() -> None:
    fakes = FakeTriton(), FakeTriton()
    async with serving(fakes[0]) as first, serving(fakes[1]) as second, balancing(first, second) as balancer:
        for fake in fakes:
            fake.failure = grpc.StatusCode.INTERNAL, "Stub process is not healthy"
        with pytest.raises(ModelFailedError):
            await diagnose(balancer)
        assert sum(len(fake.requests) for fake in fakes) == 1


async def test_with_nobody_there_it_is_refused_without_trying() -> None:
    async with balancing(NOBODY) as balancer:
        started = time.monotonic()
        with pytest.raises(TritonUnavailableError):
            balancer.admit(None, Deadline.after(5))
        with pytest.raises(TritonUnavailableError):
            await diagnose(balancer)
        assert time.monotonic() - started < 0.1


async def test_it_is_found_by_itself_once_it_is_there() -> None:
    async with AsyncExitStack() as life:
        address = await life.enter_async_context(serving(FakeTriton()))
        await life.aclose()
        async with balancing(address) as balancer:
            assert not balancer.endpoints[address].is_closed
            async with serving(FakeTriton(), address):
                await until(lambda: balancer.endpoints[address].is_closed)
                balancer.admit(None, Deadline.after(5))


async def test_a_model_that_hangs_is_not_asked_any_more_and_only_probes_find_out_that_it_is_back() -> None:
    fake = FakeTriton()
    async with serving(fake) as address, balancing(address) as balancer:
        fake.gate = asyncio.Event()
        for error in await asyncio.gather(*(diagnose(balancer, seconds=2.6) for _ in range(3)), return_exceptions=True):
            assert isinstance(error, DeadlineError)
        with pytest.raises(TritonUnavailableError):
            balancer.admit(None, Deadline.after(5))
        asked = len(fake.requests)
        fake.gate.set()
        await until(lambda: balancer.endpoints[address].is_closed)
        assert len(fake.requests) == asked


async def test_callers_with_little_time_do_not_make_a_model_slow() -> None:
    fake = FakeTriton()
    async with serving(fake) as address, balancing(address) as balancer:
        fake.delay_seconds = 0.3
        for _ in range(5):
            with pytest.raises(DeadlineError):
                await diagnose(balancer, seconds=0.1)
        assert balancer.endpoints[address].is_closed


async def test_who_would_wait_too_long_is_told_at_once_when_to_come_again() -> None:
    fake = FakeTriton()
    fake.delay_seconds = 0.05
    async with serving(fake) as address, balancing(address) as balancer:
        await asyncio.gather(*(diagnose(balancer) for _ in range(10)))
        calls = [asyncio.create_task(diagnose(balancer)) for _ in range(20)]
        await until(lambda: len(fake.requests) == 30)
        balancer.admit(None, Deadline.after(60))
        with pytest.raises(OverloadedError) as raised:
            balancer.admit(None, Deadline.after(0.2))
        assert raised.value.retry_after_ms is not None
        assert 100 <= raised.value.retry_after_ms <= 5000
        await asyncio.gather(*calls)
        balancer.admit(None, Deadline.after(0.2))


async def test_an_address_that_vanishes_ends_its_calls_and_its_series() -> None:
    staying, leaving, metrics = FakeTriton(), FakeTriton(), Metrics()
    async with (
        serving(staying) as first,
        serving(leaving) as second,
        balancing(first, second, metrics=metrics) as balancer,
    ):
        leaving.gate = asyncio.Event()
        calls = [asyncio.create_task(diagnose(balancer)) for _ in range(2)]
        await leaving.arrived.wait()
        balancer.update([first])
        assert list(balancer.endpoints) == [first]
        leaving.gate.set()
        await asyncio.gather(*calls)
        await until(lambda: second not in str(list(metrics.registry.collect())))
        assert first in str(list(metrics.registry.collect()))


async def test_a_name_stands_for_its_addresses_and_keeps_them_while_it_cannot_be_resolved(
    caplog: pytest.LogCaptureFixture,
) -> None:
    addresses = Addresses(("localhost:8001", "127.0.0.2:8001", "nowhere.invalid:8001"))
    found = await addresses.look_up()
    assert {"127.0.0.1:8001", "127.0.0.2:8001"} <= found
    assert found <= {"127.0.0.1:8001", "127.0.0.2:8001", "[::1]:8001"}
    assert "nowhere.invalid" in caplog.text


async def test_a_look_up_that_fails_is_not_the_last(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(balancer_module, "RESOLVE_EVERY_SECONDS", 0.01)
    seen: list[list[str]] = []

    class Watched(Balancer):
        def update(self, addresses: Collection[str]) -> None:
            seen.append(sorted(addresses))

    async def look_up() -> frozenset[str]:
        if not caplog.records:
            raise UnicodeError("label too long")
        return frozenset({"127.0.0.1:8001"})

    following = asyncio.create_task(follow(look_up, Watched(partial(Endpoint, probe_version=None, metrics=Metrics()))))
    await until(lambda: bool(seen) or following.done())
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert seen == [["127.0.0.1:8001"]]
