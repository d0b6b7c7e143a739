"""What a child of `os.fork` must not take over: threads stay in the parent, and locks that they held stay locked."""

from __future__ import annotations

import os
import threading
from typing import Protocol
from weakref import WeakSet


class Forked(Protocol):
    """Has something that only one process may use."""

    def after_fork(self) -> None:
        """Called in the child, before anything else runs there."""


_known: WeakSet[Forked] = WeakSet()


def tell_in_child(thing: Forked) -> None:
    """As long as `thing` lives, it hears of every fork."""
    _known.add(thing)


class Lock:
    """A lock that is free in a child, whoever held it in the parent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        tell_in_child(self)

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()


def _tell() -> None:
    for thing in list(_known):
        thing.after_fork()


# Once a program and at import, as in the standard library: what is registered cannot be taken back.
if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_tell)
