"""An event loop on a thread of its own, through which a program without one uses the asynchronous client."""

from __future__ import annotations

import asyncio
import os
import selectors
import threading
import weakref
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from frond import forking
from frond.errors import closed_error

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")
Ending: TypeAlias = "Callable[[], Coroutine[None, None, None]]"

ENDING_SECONDS = 1.0  # work that was cancelled before its first step never says that it has ended

_left_behind: list[_Service] = []  # by the parents of this process; destroyed, they would end the parents' connections


class Portal:
    """Safe to use from several threads. Its thread ends with `close`, the last reference to it, or the program.

    In a child of a fork, where the thread is missing, the next call starts another. `ending`: work that the thread does
    before it ends, unless the program does; it must hold no reference to the portal.
    """

    def __init__(self, ending: Ending | None = None) -> None:
        self._ending = ending
        self._lock = forking.Lock()  # nothing is handed to the loop after it was told to stop: nobody would do it
        self._is_open = True
        self._service: _Service | None = None
        self._serving()
        forking.tell_in_child(self)

    def after_fork(self) -> None:
        service, self._service = self._service, None
        if service is not None:
            self._stop.detach()
            service.leave_to_parent()

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
            future = asyncio.run_coroutine_threadsafe(_telling(work, ended), self._serving().loop)
        try:
            return future.result()
        except CancelledError:
            raise closed_error() from None
        except RuntimeError as error:
            if "shutdown" in str(error) and threading.current_thread().daemon and _is_ending():
                threading.Event().wait()  # the interpreter ends, and this thread with it, without a word
            raise
        except BaseException:
            if future.cancel():
                ended.wait(ENDING_SECONDS)
            raise

    def close(self) -> None:
        """Cancel what is still under way, and end. May be called again."""
        with self._lock:
            self._is_open = False
            self._stop()
        if self._service is not None:
            self._service.thread.join()

    def _serving(self) -> _Service:
        if self._service is None:
            self._service = _Service(self._ending)
            # It holds no reference to us: who forgets `close` is not left with a thread.
            self._stop = weakref.finalize(self, self._service.stop)
            self._stop.atexit = False  # the thread is a daemon; a call in another one would only fail before its end
        return self._service


class _Service:
    """The loop and its thread."""

    def __init__(self, ending: Ending | None) -> None:
        self._selector = selectors.DefaultSelector()
        self.loop = asyncio.SelectorEventLoop(self._selector)
        self.thread = threading.Thread(target=_serve, args=[self.loop, ending], name="frond", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)

    def leave_to_parent(self) -> None:
        """What is destroyed here from now on must not shut the parent's sockets down, nor take them from its selector.

        So the numbers of those in use, and the selector's own, come to stand for nothing at all.
        """
        _left_behind.append(self)
        watched = self._selector.get_map()
        if watched is None:  # closed
            return
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in [self._selector.fileno(), *(key.fd for key in watched.values())]:
            os.dup2(nothing, number, inheritable=False)
        os.close(nothing)


def _serve(loop: asyncio.AbstractEventLoop, ending: Ending | None) -> None:
    loop.run_forever()
    loop.run_until_complete(_cancel_the_others())
    if ending is not None:
        loop.run_until_complete(ending())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def _is_ending() -> bool:
    """Whether it is the program that shuts down, and no executor of its own: asyncio's goes a moment before it."""
    threading.main_thread().join(ENDING_SECONDS)
    return not threading.main_thread().is_alive()


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
