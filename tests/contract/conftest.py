"""A gateway without a database: it claims every key and keeps nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.diagnoses.protocols import Answer, Claim, Claimed, Found
from tests.gateways import FakeDiagnoser, Gateway, SigningKey, parts_with, serve, settings_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class NoStore:
    """Claims everything and keeps nothing."""

    async def claim(self, claim: Claim, *, may_start: bool) -> Claimed:  # noqa: ARG002
        return Claimed(Found.CLAIMED)

    async def complete(self, claim: Claim, answer: Answer) -> Answer:  # noqa: ARG002
        return answer

    async def release(self, claim: Claim, *, unless_awaited: bool = False) -> bool:  # noqa: ARG002
        return True


@pytest.fixture
def diagnoser() -> FakeDiagnoser:
    return FakeDiagnoser()


@pytest.fixture
async def gateway(tmp_path: Path, diagnoser: FakeDiagnoser) -> AsyncIterator[Gateway]:
    key = SigningKey()
    settings = settings_in(tmp_path, key, cors_origins="https://app.test")
    async with serve(settings, parts_with(diagnoser, NoStore())) as client:
        yield Gateway(client, key, settings)
