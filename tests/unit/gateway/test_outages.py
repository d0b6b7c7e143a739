"""An outage is told once when it begins and once when it ends, whoever finds out and however often."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from pydantic import AnyUrl

from frond.types import UploadTicket
from gateway.database import open_database
from gateway.errors import DatabaseUnavailableError, StorageUnavailableError
from gateway.metrics import Metrics
from gateway.outage import Outage
from gateway.uploads.protocols import ObjectPath
from gateway.uploads.watched import WatchedStorage
from tests.gateways import NOWHERE

if TYPE_CHECKING:
    from collections.abc import Callable

PATH = ObjectPath(UUID(int=1), "0" * 64, "image/jpeg")
TICKET = UploadTicket(
    upload_url=AnyUrl("http://there/"),
    upload_headers={},
    upload_expires_in_seconds=1,
    download_url=AnyUrl("http://there/"),
    download_expires_in_seconds=1,
)


def value(metrics: Metrics, part: str) -> float | None:
    return metrics.registry.get_sample_value("frond_gateway_part_out", {"part": part})


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "gateway.outage"]


def test_it_is_logged_at_both_ends_and_a_metric_between_them(caplog: pytest.LogCaptureFixture) -> None:
    metrics, now = Metrics(), [10.0]
    outage = Outage("PostgreSQL", metrics.part_out.labels("database"), lambda: now[0])
    outage.end()
    assert (value(metrics, "database"), lines(caplog)) == (0, [])
    for _ in range(3):
        outage.begin(OSError("refused"))
    assert (value(metrics, "database"), outage.is_on) == (1, True)
    now[0] = 12.5
    for _ in range(3):
        outage.end()
    assert (value(metrics, "database"), outage.is_on) == (0, False)
    assert lines(caplog) == [
        "PostgreSQL does not answer: OSError('refused')",
        "PostgreSQL answers again, after 2.5 s",
    ]


class Storage:
    """Fails where it is told to."""

    def __init__(self) -> None:
        self.failing: set[str] = set()

    def _answer(self, what: str) -> None:
        if what in self.failing:
            raise StorageUnavailableError("out") from OSError("refused")

    async def ticket(self, path: ObjectPath, size_bytes: int) -> UploadTicket:  # noqa: ARG002
        self._answer("ticket")
        return TICKET

    def locate(self, url: str) -> ObjectPath | None:  # noqa: ARG002
        return PATH

    def verify(self, path: ObjectPath, url: str) -> None: ...

    async def read(self, path: ObjectPath, max_bytes: int) -> bytes | None:  # noqa: ARG002
        self._answer("read")
        return None

    async def expire(self, older_than_seconds: float) -> int:  # noqa: ARG002
        self._answer("expire")
        return 0


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
def watched(storage: Storage) -> WatchedStorage:
    return WatchedStorage(storage, Outage("the storage"))


def refused() -> AbstractContextManager[object]:
    return pytest.raises(StorageUnavailableError)


async def test_a_storage_that_does_not_answer_is_noted_and_leaves_the_gateway_ready(
    storage: Storage, watched: WatchedStorage, caplog: pytest.LogCaptureFixture
) -> None:
    assert await watched.check() is None
    storage.failing = {"read"}
    with refused():
        await watched.read(PATH, 1)
    assert "photos that come with the request" in (await watched.check() or "")
    await watched.ticket(PATH, 1)  # made here, and no proof
    assert await watched.check() is not None
    storage.failing = set()
    await watched.read(PATH, 1)
    assert await watched.check() is None
    assert lines(caplog)[0] == "the storage does not answer: OSError('refused')"
    assert len(lines(caplog)) == 2


async def test_where_tickets_ask_the_storage_one_ends_the_outage(storage: Storage, watched: WatchedStorage) -> None:
    storage.failing = {"ticket"}
    with refused():
        await watched.ticket(PATH, 1)
    assert await watched.check() is not None
    storage.failing = set()
    await watched.ticket(PATH, 1)
    assert await watched.check() is None


@pytest.mark.parametrize(("failing", "raised"), [(set(), nullcontext), ({"expire"}, refused)])
async def test_a_cleanup_can_end_an_outage_and_begins_none(
    storage: Storage,
    watched: WatchedStorage,
    failing: set[str],
    raised: Callable[[], AbstractContextManager[object]],
) -> None:
    storage.failing = {"read"}
    with refused():
        await watched.read(PATH, 1)
    storage.failing = failing
    with raised():
        await watched.expire(1)
    assert (await watched.check() is None) is (not failing)


async def test_a_database_that_is_not_there_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    async with open_database(NOWHERE, metrics.outage("database", "PostgreSQL")) as database:
        for _ in range(3):
            with pytest.raises(DatabaseUnavailableError):
                await database.fetch_row("select 1")
    assert value(metrics, "database") == 1
    (line,) = lines(caplog)
    assert line.startswith("PostgreSQL does not answer: ConnectionRefusedError")
