"""The connection pool, and PostgreSQL's failures told as the caller's error."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import asyncpg

from gateway.errors import DatabaseUnavailableError
from gateway.outage import Outage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

logger = logging.getLogger(__name__)

POOL_SIZE = 10  # a statement takes about a millisecond and no connection is held across inference
# A statement that takes longer than this is one the database cannot answer now; the caller still has time to be told.
STATEMENT_SECONDS = 2.0
RETRY_SECONDS = 0.1  # a restart of the server takes about half a second

BROKEN = (
    OSError,  # refused, reset, no route, no name
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,  # the connection was closed under us
    asyncpg.InternalClientError,  # the server has said that it closes it, and has not yet
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,  # starting up
)
UNAVAILABLE = (
    *BROKEN,
    asyncpg.OperatorInterventionError,  # statement cancelled
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # deadlock, serialisation: gone when tried again
    asyncpg.ReadOnlySQLTransactionError,  # a standby, in the middle of a failover
    asyncpg.LockNotAvailableError,  # waited for another transaction as long as the role may
    asyncpg.InvalidAuthorizationSpecificationError,  # the password is being changed
    asyncpg.UndefinedFunctionError,  # not migrated yet: readiness says so
    asyncpg.InvalidSchemaNameError,
    asyncpg.InvalidCatalogNameError,  # a server that is still being restored
    asyncpg.InvalidSQLStatementNameError,  # a pooler that loses even what came a moment before
)
# The bad luck of one statement: others are answered meanwhile.
PASSING = (asyncpg.QueryCanceledError, asyncpg.TransactionRollbackError, asyncpg.LockNotAvailableError)


class Database:
    """One statement at a time, each in its own transaction: what a pooler in transaction mode allows.

    Statements stay prepared, which saves a round trip each; behind a pooler that loses them they do not
    (docs/decisions/0041).
    """

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], outage: Outage) -> None:
        self._pool = pool
        self._outage = outage
        self._in_flight = 0
        self._answered_at = 0.0  # on the monotonic clock
        self._is_hanging = False
        self._are_kept = True  # prepared statements

    async def fetch_row(
        self, query: str, *arguments: Any, is_patient: bool = False, may_repeat: bool = True
    ) -> asyncpg.Record:
        """The one row of the answer. Raises `DatabaseUnavailableError` when there is no database to give it.

        The statement must be one that may run twice, unless `may_repeat` says no: where its connection breaks it is
        sent again, once, or for as long as there is time if it is patient.
        """
        if self._is_hanging and self._in_flight and not is_patient:  # one at a time finds out whether it still does
            raise DatabaseUnavailableError("The database does not answer. Try again.")
        started_at = time.monotonic()
        self._in_flight += 1
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                row = await self._fetch_row(query, arguments, is_patient=is_patient, may_repeat=may_repeat)
        except TimeoutError as error:
            # One that waits for another transaction's lock is no hanging database: others are answered meanwhile.
            self._is_hanging = self._answered_at < started_at
            if self._is_hanging:
                self._outage.begin(error)
            raise DatabaseUnavailableError("The database does not answer. Try again.") from error
        except UNAVAILABLE as error:
            if not isinstance(error, PASSING):
                self._outage.begin(error)
            raise DatabaseUnavailableError("The database cannot be reached. Try again.") from error
        finally:
            self._in_flight -= 1
        self._is_hanging, self._answered_at = False, time.monotonic()
        self._outage.end()
        assert row is not None
        return row

    async def _fetch_row(
        self, query: str, arguments: tuple[Any, ...], *, is_patient: bool, may_repeat: bool
    ) -> asyncpg.Record | None:
        while True:
            is_connected, is_prepared = False, self._are_kept
            try:
                async with self._pool.acquire() as connection:
                    is_connected = True
                    return await fetch_or_terminate(connection, query, *arguments, is_prepared=is_prepared)
            except asyncpg.InvalidSQLStatementNameError:
                if not is_prepared:
                    raise
                self._prepare_no_more()
                continue  # nothing was done: the statement was not found
            except BROKEN:
                if not is_patient and not (is_connected and may_repeat):
                    raise
            may_repeat = False
            if is_connected:
                await self._pool.expire_connections()  # what broke one has broken the others
            else:
                await asyncio.sleep(RETRY_SECONDS)

    def _prepare_no_more(self) -> None:
        if self._are_kept:
            logger.warning(
                "a pooler in front of PostgreSQL loses prepared statements: each takes two round trips from now on"
            )
        self._are_kept = False


class Connection(asyncpg.Connection):
    """Its prepared statements have names of their own.

    asyncpg counts: behind a pooler that loses them, one gateway's name could stand for another one's statement.
    """

    def _get_unique_id(self, prefix: str) -> str:
        return f"frond_{prefix}_{secrets.token_hex(8)}"


async def fetch_or_terminate(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], query: str, *arguments: Any, is_prepared: bool = True
) -> asyncpg.Record | None:
    """Interrupted, asyncpg would wait for the server to confirm that it stopped; one that hangs never does."""
    try:
        if is_prepared:
            return await connection.fetchrow(query, *arguments)
        # Without a name, and without a Sync before it is executed: no pooler can change the server in between.
        return await (await connection.prepare(query, name="")).fetchrow(*arguments)
    except asyncio.CancelledError:  # a timeout is one too, in here
        connection.terminate()
        raise


@asynccontextmanager
async def open_database(url: str, outage: Outage | None = None) -> AsyncIterator[Database]:
    """Connections are made when first needed: the gateway starts, and says that it is not ready, without a database."""
    pool = await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=POOL_SIZE,
        timeout=STATEMENT_SECONDS,
        reset=keep_as_it_is,
        connection_class=Connection,
        server_settings={"application_name": "frond-gateway"},
    )
    try:
        yield Database(pool, outage or Outage("PostgreSQL"))
    finally:
        with suppress(*BROKEN):  # a timeout among them; the pool has terminated what was left
            async with asyncio.timeout(STATEMENT_SECONDS):
                await pool.close()


async def keep_as_it_is(_connection: object) -> None:
    """asyncpg would send RESET ALL, a round trip; every setting of ours ends with its transaction."""
