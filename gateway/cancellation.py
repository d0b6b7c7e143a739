"""Work that is not to be left half done, or not to go on when nobody waits for it any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from gateway.errors import ClientGoneError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

    from starlette.requests import Request

T = TypeVar("T")


async def uncancelled(work: Awaitable[T]) -> T:
    """Let the work end even if we are cancelled meanwhile; the cancellation goes on afterwards."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


async def together(*works: Coroutine[None, None, T]) -> list[T]:
    """All results; when one fails, the others are cancelled and over before its error is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until_hang_up(request: Request) -> None:
    """The body is read: what comes next is the end."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def while_connected(request: Request, work: Coroutine[None, None, T]) -> T:
    """The work's result; a client that hangs up cancels it."""
    task = asyncio.ensure_future(work)
    hang_up = asyncio.ensure_future(until_hang_up(request))
    try:
        await asyncio.wait({task, hang_up}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGoneError("The client hung up.")
        return task.result()
    finally:
        task.cancel()
        hang_up.cancel()
        await asyncio.gather(task, hang_up, return_exceptions=True)
