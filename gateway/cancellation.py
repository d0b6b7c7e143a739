"""Work that is not to be left half done, or not to go on when nobody waits for it any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from gateway.errors import ClientGoneError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

    from starlette.requests import Request

T = TypeVar("T")


async def uncancelled(work: Awaitable[T]) -> T:
    """Let the work end even if we are cancelled meanwhile, however often; the cancellation goes on afterwards."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # nobody's any more: asyncio would log it as forgotten
    raise cancelled


async def together(*works: Coroutine[None, None, T]) -> list[T]:
    """All results; when one fails, the others are cancelled and over before its error is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def while_connected(request: Request, work: Awaitable[T]) -> T:
    """The work's result; a client that hangs up cancels it."""
    task = asyncio.current_task()
    assert task is not None
    watch = asyncio.ensure_future(cancel_on_hang_up(request, task))
    try:
        return await work
    except asyncio.CancelledError:
        if not watch.done():  # somebody else wants us to end: the server
            raise
        task.uncancel()
        raise ClientGoneError("The client hung up.") from None
    finally:
        watch.cancel()


async def cancel_on_hang_up(request: Request, task: asyncio.Task[Any]) -> None:
    """The body is read: what comes next is the end."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    task.cancel()
