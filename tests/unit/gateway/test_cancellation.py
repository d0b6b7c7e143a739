"""Works that belong together."""

from __future__ import annotations

import asyncio

import pytest

from gateway.cancellation import together, uncancelled


async def test_all_results_come_in_their_order() -> None:
    async def after(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    assert await together(after(0.02), after(0.01)) == [0.02, 0.01]


async def test_when_one_fails_the_others_are_over_before_its_error_is_raised() -> None:
    ended: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("slow")

    async def broken() -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await together(slow(), broken())
    assert ended == ["slow"]


async def test_work_that_is_not_to_be_left_half_done_ends_however_often_it_is_cancelled() -> None:
    go_on = asyncio.Event()
    ended: list[str] = []

    async def work() -> None:
        await go_on.wait()
        ended.append("work")

    waiting = asyncio.create_task(uncancelled(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended == ["work"]


async def test_an_error_of_such_work_is_raised_or_gives_way_to_the_cancellation() -> None:
    async def broken() -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await uncancelled(broken())
    waiting = asyncio.create_task(uncancelled(broken()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
