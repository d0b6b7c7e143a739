"""Works that belong together."""

from __future__ import annotations

import asyncio

import pytest

from gateway.cancellation import together


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
