"""An event loop on a thread of its own, for greenlets to hand work to.

Locust runs its users in greenlets of one thread, and by default replaces Python's sockets, threads and selectors by
gevent's under everything that is imported. Asyncio, grpc.aio and the SDK cannot be measured so: they would run on other
parts than users have. Here nothing is replaced: the loop has a real thread, and a greenlet that waits for it lets the
others run.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, TypeVar

import uvloop
from gevent import get_hub
from gevent.event import Event

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class LoopThread:
    """Ends with the program, or with `close`. Must be made after every fork."""

    def __init__(self) -> None:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="asking", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[None, None, T]) -> T:
        """The result, for a greenlet; one that is killed cancels the work."""
        answered = Event()
        # The only thing of gevent's that another thread may touch.
        waker = get_hub().loop.async_()
        waker.start(answered.set)
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        future.add_done_callback(lambda _: waker.send())
        try:
            answered.wait()
            return future.result()
        finally:
            future.cancel()
            waker.stop()
            waker.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
