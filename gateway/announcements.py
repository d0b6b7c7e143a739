"""One connection that listens, and wakes those who wait for another request's answer (LISTEN/NOTIFY)."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING

import asyncpg

from gateway.diagnoses.store import ENDPOINT
from gateway.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from gateway.database import Database
    from gateway.diagnoses.protocols import Claim

logger = logging.getLogger(__name__)

CHANNEL = "frond_answers"
CONNECT_SECONDS = 5.0
# A peer that is gone without a word is noticed after both of them together; who waits polls meanwhile.
CHECK_SECONDS, ECHO_SECONDS = 10.0, 2.0
FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.2, 30.0

UNREACHABLE = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    DatabaseUnavailableError,
)


class PostgresAnnouncements:
    """Never fails and never blocks: without a connection nobody is woken, and `is_listening` says so."""

    def __init__(self, url: str, database: Database, *, check_seconds: float = CHECK_SECONDS) -> None:
        self._url = url
        self._database = database
        self._check_seconds = check_seconds
        self._expected: dict[str, set[asyncio.Event]] = {}
        self.is_listening = False

    @contextmanager
    def expect(self, claim: Claim) -> Iterator[asyncio.Event]:
        """Clear the event before looking; it is also set when the connection breaks or is back."""
        with self._expect(f"{claim.caller.user_id} {ENDPOINT} {claim.key}") as event:
            yield event

    async def run(self) -> None:
        """Listen, for ever."""
        retry_seconds = FIRST_RETRY_SECONDS
        while True:
            try:
                await self._listen()
            except Exception as error:  # the task must not end
                if self.is_listening or retry_seconds == FIRST_RETRY_SECONDS:
                    unexpected = None if isinstance(error, UNREACHABLE) else error
                    logger.warning("not listening for answers; those who wait poll: %r", error, exc_info=unexpected)
            if self.is_listening:
                retry_seconds = FIRST_RETRY_SECONDS
                self._turn(is_listening=False)
            await asyncio.sleep(retry_seconds * random.uniform(0.5, 1.5))  # all replicas lost it at the same moment
            retry_seconds = min(2 * retry_seconds, MAX_RETRY_SECONDS)

    async def _listen(self) -> None:
        """Raises when the connection breaks, or cannot be had."""
        connection = await asyncpg.connect(
            self._url, timeout=CONNECT_SECONDS, server_settings={"application_name": "frond-gateway-listener"}
        )
        try:
            is_closed = asyncio.Event()
            connection.add_termination_listener(lambda _connection: is_closed.set())
            async with asyncio.timeout(ECHO_SECONDS):
                await connection.add_listener(CHANNEL, self._announced)
            while not is_closed.is_set():
                await self._hear_ourselves()
                if not self.is_listening:
                    self._turn(is_listening=True)
                with suppress(TimeoutError):  # no wait_for: in Python 3.11 it can swallow a cancellation
                    async with asyncio.timeout(self._check_seconds):
                        await is_closed.wait()
            raise ConnectionError("The server closed the connection.")
        finally:
            connection.terminate()

    async def _hear_ourselves(self) -> None:
        """Raises TimeoutError when the server is gone, or is a pooler that does not pass announcements on.

        The word goes another way than it comes: such a pooler passes on what a session announces to itself.
        """
        word = f"echo {random.getrandbits(64):x}"
        with self._expect(word) as heard:
            async with asyncio.timeout(ECHO_SECONDS):
                await self._database.fetch_row("select pg_notify($1, $2)", CHANNEL, word)
                await heard.wait()

    @contextmanager
    def _expect(self, word: str) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        events = self._expected.setdefault(word, set())
        events.add(event)
        try:
            yield event
        finally:
            events.remove(event)
            if not events:
                del self._expected[word]

    def _announced(self, _connection: object, _process_id: int, _channel: str, word: object) -> None:
        for event in self._expected.get(str(word), ()):
            event.set()

    def _turn(self, *, is_listening: bool) -> None:
        """Everyone looks once: something may have been announced while nobody listened."""
        self.is_listening = is_listening
        for events in self._expected.values():
            for event in events:
                event.set()


@asynccontextmanager
async def open_announcements(url: str, database: Database) -> AsyncIterator[PostgresAnnouncements]:
    announcements = PostgresAnnouncements(url, database)
    task = asyncio.create_task(announcements.run())
    try:
        yield announcements
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
