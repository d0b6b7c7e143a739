"""An event loop on a thread of its own, through which a program without one uses the asynchronous client."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, TypeVar

from frond.errors import CloudValidationError

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

ENDING_SECONDS = 1.0  # work that was cancelled before its first step never says that it has ended


class Portal:
    """Safe to use from several threads. The thread ends with `close`, or with the program."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()  # nothing is handed to the loop after it was told to stop: nobody would do it
        self._is_open = True
        self._thread = threading.Thread(target=self._serve, name="frond", daemon=True)
        self._thread.start()

    @property
    def is_open(self) -> bool:
        return self._is_open

    def run(self, work: Coroutine[None, None, T]) -> T:
        """The result; an interrupt (Ctrl-C) cancels the work, and is raised when that has ended."""
        ended = threading.Event()
        with self._lock:
            if not self._is_open:
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
            if not self._is_open:
                return
            self._is_open = False
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(_cancel_the_others())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


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
