"""The SQL of the runbooks does what they say, on a database as the migrations make it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.monitoring.runbooks import statements

if TYPE_CHECKING:
    from tests.integration.gateway.conftest import Database


async def test_an_operator_can_run_every_statement(database: Database) -> None:
    asked = statements()
    assert len(asked) > 8
    async with database.owner() as owner:
        for statement in asked:
            await owner.execute(statement)
