"""The connection pool, and PostgreSQL's failures told as the caller's error."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg

from gateway.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

POOL_SIZE = 10  # a statement takes about a millisecond and no connection is held across inference
# A statement that takes longer than this is one the database cannot answer now; the caller still has time to be told.
STATEMENT_SECONDS = 2.0

UNAVAILABLE = (
    OSError,  # refused, reset, no route, no name; TimeoutError is one too
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,  # the connection was closed under us
    asyncpg.OperatorInterventionError,  # shutting down, starting up, statement cancelled
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # deadlock, serialisation: gone when tried again
    asyncpg.ReadOnlySQLTransactionError,  # a standby, in the middle of a failover
    asyncpg.LockNotAvailableError,  # waited for another transaction as long as the role may
    asyncpg.InvalidAuthorizationSpecificationError,  # the password is being changed
    asyncpg.InvalidCatalogNameError,  # a server that is still being restored
)


class Database:
    """One statement at a time, each in its own transaction: what a pooler in transaction mode allows."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def fetch_row(self, query: str, *arguments: Any) -> asyncpg.Record:
        """The one row of the answer. Raises `DatabaseUnavailableError` when there is no database to give it."""
        try:
            async with asyncio.timeout(STATEMENT_SECONDS), self._pool.acquire() as connection:
                row = await fetch_or_terminate(connection, query, *arguments)
        except UNAVAILABLE as error:
            raise DatabaseUnavailableError("The database cannot be reached. Try again.") from error
        assert row is not None
        return row


async def fetch_or_terminate(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], query: str, *arguments: Any
) -> asyncpg.Record | None:
    """Interrupted, asyncpg would wait for the server to confirm that it stopped; one that hangs never does."""
    try:
        return await connection.fetchrow(query, *arguments)
    except asyncio.CancelledError:  # a timeout is one too, in here
        connection.terminate()
        raise


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """Connections are made when first needed: the gateway starts, and says that it is not ready, without a database."""
    pool = await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=POOL_SIZE,
        timeout=STATEMENT_SECONDS,
        reset=keep_as_it_is,
        server_settings={"application_name": "frond-gateway"},
    )
    try:
        yield Database(pool)
    finally:
        try:
            await asyncio.wait_for(pool.close(), STATEMENT_SECONDS)
        except TimeoutError:
            pool.terminate()


async def keep_as_it_is(_connection: object) -> None:
    """asyncpg would send RESET ALL, a round trip; every setting of ours ends with its transaction."""
