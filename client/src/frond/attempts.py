"""Attempts of one call: repeated where policy says so, with one refresh of the token, until the deadline ends them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, TypeVar

from frond.errors import CloudAuthError, CloudInferenceError
from frond.policy.deadline import deadline_error

if TYPE_CHECKING:
    import uuid
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator

    from frond.policy.deadline import Deadline
    from frond.policy.retry import RetryPolicy
    from frond.tokens import Tokens

T = TypeVar("T")

UNAUTHORISED = 401


class Trail:
    """The last attempt of a call: its name in the service's log, and why it failed, if it did.

    A deadline that passes meanwhile is explained with it.
    """

    request_id: str | None = None
    last_error: CloudInferenceError | None = None


class Attempts:
    """`count` is the number of those begun."""

    def __init__(self, tokens: Tokens, retry: RetryPolicy, deadline: Deadline, trail: Trail) -> None:
        self._tokens = tokens
        self._retry = retry
        self._deadline = deadline
        self._is_refreshed = False
        self.count = 0
        self._trail = trail

    async def until_answered(self, once: Callable[[str, int], Awaitable[T]]) -> T:
        """The result of `once(token, attempt)`, attempts counted from 1; raises the error of the last attempt."""
        token = await self._tokens.current()
        while True:
            self.count += 1
            try:
                return await once(token, self.count)
            except CloudInferenceError as error:
                self._trail.last_error = error
                token = await self._token_after(error, token)

    async def _token_after(self, error: CloudInferenceError, token: str) -> str:
        """The token for another attempt, once it is time for that; raises the error when there is to be none."""
        if isinstance(error, CloudAuthError) and error.status == UNAUTHORISED and not self._is_refreshed:
            self._is_refreshed = True
            replacement = await self._tokens.replacement_of(token)
            if replacement is not None:
                return replacement
        delay = self._retry.delay(error, self.count, self._deadline)
        if delay is None:
            raise error
        await asyncio.sleep(delay)
        return token


@asynccontextmanager
async def ended_by(deadline: Deadline, trail: Trail) -> AsyncIterator[None]:
    """Whatever is under way is cancelled when the deadline passes, and `CloudTimeoutError` says so."""
    try:
        async with asyncio.timeout(deadline.remaining()):
            yield
    except TimeoutError as error:
        raise deadline_error(trail.request_id) from trail.last_error or error


@contextmanager
def under_key(idempotency_key: uuid.UUID | None) -> Iterator[None]:
    """Every error of the call names its key: who tries again under it gets the answer that there may be by then."""
    try:
        yield
    except CloudInferenceError as error:
        error.idempotency_key = error.idempotency_key or idempotency_key
        raise


async def together(works: Iterable[Coroutine[None, None, T]]) -> list[T]:
    """All results; when one fails, the others are cancelled and over before its error is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
