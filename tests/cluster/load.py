"""Phones that ask all the time, what becomes of each request, and whether its key replays the one answer."""

from __future__ import annotations

import asyncio
import itertools
import random
import uuid
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from frond.errors import CloudInferenceError, CloudTimeoutError
from tests.cluster.phone import WAYS, Answer, Phone, Request
from tests.gateways import SigningKey, png

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PHONES = 8
PAUSE_SECONDS = 1.1  # between two requests of a phone: a user may ask 60 times a minute
GIVE_UP_SECONDS = 60.0
AGAIN_SECONDS = 0.2

photo_numbers = itertools.count()


@dataclass
class Course:
    """All requests: how calls failed, what was lost, and the answers with what their keys replay."""

    answers: dict[uuid.UUID, Answer] = field(default_factory=dict)
    replays: dict[uuid.UUID, Answer] = field(default_factory=dict)
    failed_calls: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    phones: list[Phone] = field(default_factory=list)

    @property
    def retries(self) -> int:
        return sum(phone.retries for phone in self.phones)

    @property
    def versions(self) -> Counter[str]:
        return Counter(answer.version for answer in self.answers.values())

    def told(self) -> str:
        return f"{len(self.answers)} answers, {self.retries} retries, failed calls: {dict(self.failed_calls)}"


class Caller:
    """A phone that asks on and on, and remembers what it asked."""

    def __init__(self, phone: Phone, course: Course) -> None:
        self._phone = phone
        self._course = course
        self._answered: list[Request] = []

    async def ask_until(self, done: asyncio.Event) -> None:
        for way in itertools.cycle(WAYS):
            await asyncio.sleep(random.uniform(0.5, 1.5) * PAUSE_SECONDS)
            if done.is_set():
                return
            await self._ask(Request(way, next_photo()))

    async def ask_again(self) -> None:
        """Every key that was answered."""
        for request in self._answered:
            self._course.replays[request.key] = await self._phone.ask(request)

    async def _ask(self, request: Request) -> None:
        """Calls under one key until one is answered."""
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                while (answer := await self._call(request)) is None:  # noqa: ASYNC110  (it calls again)
                    await asyncio.sleep(AGAIN_SECONDS)
        except TimeoutError:
            self._course.lost.append(f"{request.way}: no answer within {GIVE_UP_SECONDS} s")
        except CloudInferenceError as error:
            self._course.lost.append(f"{request.way}: {error}")
        else:
            self._course.answers[request.key] = answer
            self._answered.append(request)

    async def _call(self, request: Request) -> Answer | None:
        """None when it may be made again; raises the error that is final."""
        try:
            return await self._phone.ask(request)
        except CloudInferenceError as error:
            self._course.failed_calls[f"{request.way}: {error.code}"] += 1
            if not error.retryable and not isinstance(error, CloudTimeoutError):
                raise
            return None


def next_photo() -> bytes:
    """Another one each time, in the whole run."""
    number = next(photo_numbers)
    return png(number % 256, side=64 + number // 256)


@asynccontextmanager
async def load(url: str, signing_key: SigningKey) -> AsyncIterator[Course]:
    """As long as it is open. At its end every request is brought to its end, and every key is sent once more."""
    course, done = Course(), asyncio.Event()
    async with AsyncExitStack() as stack:
        tokens = [signing_key.token(uuid.uuid4(), exp=timedelta(hours=1)) for _ in range(PHONES)]
        course.phones = [await stack.enter_async_context(Phone(url, token)) for token in tokens]
        callers = [Caller(phone, course) for phone in course.phones]
        async with asyncio.TaskGroup() as tasks:
            for caller in callers:
                tasks.create_task(caller.ask_until(done))
            yield course
            done.set()
        await asyncio.gather(*(caller.ask_again() for caller in callers))
