"""A second login of the gateway, made as the guide says, so that a password can change without an outage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from gateway.canary.protocols import Tally
from gateway.canary.store import PostgresTrials
from gateway.cleanup.store import PostgresExpiredRows
from gateway.database import open_database
from gateway.diagnoses.protocols import Found
from gateway.diagnoses.store import PostgresStore
from stack.paths import ROOT
from tests.integration.gateway.claims import ANSWER, claim_of, start
from tests.integration.gateway.conftest import GENEROUS, PASSWORD

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.gateway.conftest import Database

GUIDE = ROOT / "docs" / "guides" / "keys.md"
SECOND, ITS_PASSWORD = "frond_gateway_b", "of-the-second"


@pytest.fixture
async def second_url(database: Database) -> AsyncIterator[str]:
    (statements,) = re.findall(r"```sql\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    async with database.owner() as owner:
        await owner.execute(statements.replace("…", ITS_PASSWORD))
        yield database.gateway_url.replace(f"frond_gateway:{PASSWORD}", f"{SECOND}:{ITS_PASSWORD}")
        await owner.execute(f"drop role {SECOND}")


async def test_it_may_do_all_that_the_gateway_does(second_url: str, database: Database) -> None:
    async with open_database(second_url) as opened, open_database(database.gateway_url) as first:
        store, claim, failed = PostgresStore(opened, GENEROUS), claim_of(uuid4()), claim_of(uuid4())
        assert await start(store, claim) is Found.CLAIMED
        assert await store.complete(claim, ANSWER) == ANSWER
        assert await start(PostgresStore(first, GENEROUS), claim_of(claim.key)) is Found.REPLAYED
        assert await start(store, failed) is Found.CLAIMED
        assert await store.release(failed)
        assert await PostgresExpiredRows(opened).delete_keys(10) == 0
        trial = await PostgresTrials(opened).add("2", Tally(asked=1), Tally(asked=3))
        assert trial.verdict is None


async def test_it_may_no_more_than_the_first(second_url: str, database: Database) -> None:
    limits = "select setconfig from pg_db_role_setting join pg_roles r on r.oid = setrole where rolname = $1"
    async with database.owner() as owner:
        first, second = [await owner.fetchval(limits, name) for name in ("frond_gateway", SECOND)]
        assert first
        assert sorted(first) == sorted(second)
    connection = await asyncpg.connect(second_url)
    try:
        for statement in ("select from public.idempotency_keys", "set role service_role", "create table frond.t ()"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()
