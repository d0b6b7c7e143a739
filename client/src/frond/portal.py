"""An event loop on a thread of its own, through which a program without one uses the asynchronous client."""

from __future__ import annotations

import asyncio
import threading
import weakref
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from frond.errors import CloudValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")
Ending: TypeAlias = "Callable[[], Coroutine[None, None, None]]"

ENDING_SECONDS = 1.0  # work that was cancelled before its first step never says that it has ended


class Portal:
    """Safe to use from several threads. Its thread ends with `close`, the last reference to it, or the program.

    `ending`: work that the thread does before it ends, unless the program does; it must hold no reference to the
    portal.
    """

    def __init__(self, ending: Ending | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()  # nothing is handed to the loop after it was told to stop: nobody would do it
        # It holds no reference to us: who forgets `close` is not left with a thread.
        self._thread = threading.Thread(target=_serve, args=[self._loop, ending], name="frond", daemon=True)
        self._thread.start()
        self._stop = weakref.finalize(self, self._loop.call_soon_threadsafe, self._loop.stop)
        self._stop.atexit = False  # the thread is a daemon; a call in another one would only fail before its end

    @property
    def is_open(self) -> bool:
        return self._stop.alive

    def run(self, work: Coroutine[None, None, T]) -> T:
        """The result; an interrupt (Ctrl-C) cancels the work, and is raised when that has ended."""
        ended = threading.Event()
        with self._lock:
            if not self.is_open:
                work.close()
                raise closed_error()
            future = asyncio.run_coroutine_threadsafe(_telling(work, ended), self._loop)
        try:
            return future.result()
        except CancelledError:
            raise closed_error() from None
        except BaseException:
            if future.cancel():
                ended.wait(ENDING_SECONDS)
            raise

    def close(self) -> None:
        """Cancel what is still under way, and end. May be called again."""
        with self._lock:
            self._stop()
        self._thread.join()


def _serve(loop: asyncio.AbstractEventLoop, ending: Ending | None) -> None:
    loop.run_forever()
    loop.run_until_complete(_cancel_the_others())
    if ending is not None:
        loop.run_until_complete(ending())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def closed_error() -> CloudValidationError:
    return CloudValidationError("The client is closed.", code="client_closed")


async def _telling(work: Coroutine[None, None, T], ended: threading.Event) -> T:
    try:
        return await work
    finally:
        ended.set()


async def _cancel_the_others() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
