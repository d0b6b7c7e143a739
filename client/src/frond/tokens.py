"""The access token: where it comes from, and how a refused one is replaced once."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from frond.errors import CloudAuthError, FrondError

TokenSource: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""A token, or what gives one; a plain function is called in a thread, since it may ask the network."""


class Tokens:
    """`refresh` is asked when the service refused a token; without it a source that is a callback is asked again."""

    def __init__(self, source: TokenSource, refresh: TokenSource | None) -> None:
        self._source = source
        self._refresh = refresh if refresh is not None else (None if isinstance(source, str) else source)
        self._refused: str | None = None  # what the source gave
        self._previous: str | None = None  # what the replacement replaced
        self._replacement: str | None = None
        self._lock = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None  # whose lock it is

    async def current(self) -> str:
        """The app's own token, or what replaced it as long as the source gives the one that was refused."""
        token = await _ask(self._source)
        return self._replacement if self._replacement is not None and token == self._refused else token

    async def replacement_of(self, refused: str) -> str | None:
        """Another token, or None where nobody has one.

        Calls that are refused at the same time share one refresh: with rotating refresh tokens a second one would end
        the session.
        """
        if self._refresh is None:
            return None
        async with self._lock_of_this_loop():
            if self._replacement is None or refused not in {self._refused, self._previous}:
                token = await _ask(self._refresh)
                if refused != self._replacement:
                    self._refused = refused
                self._previous, self._replacement = refused, token
            return self._replacement

    def _lock_of_this_loop(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._lock = loop, asyncio.Lock()
        return self._lock


async def _ask(source: TokenSource) -> str:
    if isinstance(source, str):
        return source
    try:
        answer = await asyncio.to_thread(source) if not inspect.iscoroutinefunction(source) else source()
        token: object = await answer if inspect.isawaitable(answer) else answer
    except FrondError:
        raise
    except Exception as error:
        raise _no_token() from error
    if not isinstance(token, str):  # None, of an app where nobody is signed in
        raise _no_token()
    return token


def _no_token() -> CloudAuthError:
    return CloudAuthError("The app's callback gave no access token.", code="token_unavailable")
