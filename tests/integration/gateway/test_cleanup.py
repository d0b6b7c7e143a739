"""What has expired is removed in small batches, by one replica at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from gateway.cleanup import service as cleanup_service
from gateway.cleanup.service import CleanupService, cleaning
from gateway.cleanup.store import PostgresExpiredRows
from gateway.database import open_database
from gateway.errors import StorageUnavailableError
from gateway.metrics import Metrics
from tests.gateways import ALICE
from tests.integration.gateway.claims import claim_of, start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.diagnoses.store import PostgresStore
    from tests.integration.gateway.conftest import Database

KEYS, LIMITS = "select count(*) from public.idempotency_keys", "select count(*) from frond.rate_limits"
EXPIRE = "update public.idempotency_keys set expires_at = now()"
LOCK_OLDEST = "select 1 from public.idempotency_keys order by expires_at limit 1 for update"
EXPIRE_IN_TURN = """
update public.idempotency_keys k set expires_at = now() - interval '1 hour' + each.number * interval '1 millisecond'
from (select id, row_number() over () as number from public.idempotency_keys) each where each.id = k.id
"""
PAGES = """
select heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read from pg_statio_user_tables
where relid = 'public.idempotency_keys'::regclass
"""
ADD_KEYS = """
insert into public.idempotency_keys
  (idempotency_key, user_id, endpoint, request_payload, payload_hash, owner_token, leased_until, expires_at)
select gen_random_uuid(), $1, '/v1/ai-inference', '{}', repeat('0', 64), gen_random_uuid(), now(), now()
from generate_series(1, $2::int)
"""


class Photos:
    """Three expired ones each time, unless the storage is out."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.error: Exception | None = None

    async def expire(self, older_than_seconds: float) -> int:
        self.asked.append(older_than_seconds)
        if self.error is not None:
            raise self.error
        return 3


@pytest.fixture
async def rows(database: Database) -> AsyncIterator[PostgresExpiredRows]:
    async with open_database(database.gateway_url) as opened:
        yield PostgresExpiredRows(opened)


@pytest.fixture
def photos() -> Photos:
    return Photos()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def cleaned(metrics: Metrics, what: str) -> float | None:
    return metrics.registry.get_sample_value("frond_gateway_cleaned_total", {"what": what})


async def test_only_what_has_expired_is_deleted(
    rows: PostgresExpiredRows, store: PostgresStore, database: Database
) -> None:
    async with database.owner() as owner:
        await start(store, claim_of(uuid4()))
        await owner.execute(EXPIRE)
        await start(store, claim_of(uuid4()))
        assert await rows.delete_keys(10) == 1
        assert await owner.fetchval(KEYS) == 1


async def test_a_batch_is_no_larger_than_asked_and_the_oldest_go_first(
    rows: PostgresExpiredRows, database: Database
) -> None:
    async with database.owner() as owner:
        await owner.execute(ADD_KEYS, ALICE, 5)
        await owner.execute("update public.idempotency_keys set expires_at = now() - random() * interval '1 hour'")
        assert await rows.delete_keys(3) == 3
        oldest = "select min(expires_at) from public.idempotency_keys"
        left = await owner.fetchval(oldest)
        assert await rows.delete_keys(1) == 1
        assert left < await owner.fetchval(oldest)


async def test_a_row_that_another_one_holds_is_left_for_the_next_time(
    rows: PostgresExpiredRows, database: Database
) -> None:
    async with database.owner() as owner:
        await owner.execute(ADD_KEYS, ALICE, 2)
        async with owner.transaction():
            await owner.execute("select 1 from public.idempotency_keys limit 1 for update")
            async with asyncio.timeout(1):
                assert await rows.delete_keys(10) == 1
        assert await rows.delete_keys(10) == 1


async def test_a_batch_begins_where_the_one_before_ended_and_a_round_begins_anew(
    rows: PostgresExpiredRows, database: Database
) -> None:
    """What was locked at first waits for the next round, and no batch walks over what the others have deleted."""
    async with database.owner() as owner:
        await owner.execute(ADD_KEYS, ALICE, 6)
        await owner.execute(EXPIRE_IN_TURN)
        async with owner.transaction():
            await owner.execute(LOCK_OLDEST)
            assert (await rows.begin(timedelta(0))).is_ours
            assert await rows.delete_keys(3) == 3
        assert await rows.delete_keys(10) == 2
        assert await owner.fetchval(KEYS) == 1
        assert (await rows.begin(timedelta(0))).is_ours
        assert await rows.delete_keys(10) == 1


async def test_deleted_rows_that_a_backup_still_sees_are_not_walked_over_again(
    rows: PostgresExpiredRows, database: Database
) -> None:
    """Pages of the index and the table that a batch reads: as many at the end as at the beginning."""
    async with database.owner() as owner, database.owner() as backup:
        await owner.execute(ADD_KEYS, ALICE, 20_000)
        await owner.execute(EXPIRE_IN_TURN)
        await owner.execute("vacuum (analyze) public.idempotency_keys")
        await backup.execute("begin isolation level repeatable read")
        await backup.fetchval(KEYS)
        await rows.begin(timedelta(0))
        reads = []
        for _ in range(30):
            before = await owner.fetchval(PAGES)
            await owner.execute("select frond.delete_expired_keys(500)")
            await owner.execute("select pg_stat_force_next_flush()")
            reads.append(await owner.fetchval(PAGES) - before)
        assert sum(reads[-5:]) < 2 * sum(reads[1:6])


async def test_a_rate_limit_is_deleted_when_the_whole_burst_is_allowed_again(
    rows: PostgresExpiredRows, store: PostgresStore, database: Database
) -> None:
    await start(store, claim_of(uuid4()))
    assert await rows.delete_rate_limits(10) == 0
    async with database.owner() as owner:
        await owner.execute("update frond.rate_limits set full_at = now()")
        assert await rows.delete_rate_limits(10) == 1
        assert await owner.fetchval(LIMITS) == 0


async def test_of_many_replicas_one_begins_a_round_and_the_next_when_its_lease_has_ended(
    rows: PostgresExpiredRows,
) -> None:
    begun = await asyncio.gather(*(rows.begin(timedelta(seconds=60)) for _ in range(8)))
    assert sum(one.is_ours for one in begun) == 1
    assert not (await rows.begin(timedelta(0))).is_ours


async def test_a_lease_that_has_ended_is_free(rows: PostgresExpiredRows) -> None:
    assert (await rows.begin(timedelta(0))).is_ours
    assert (await rows.begin(timedelta(0))).is_ours


async def test_the_rows_are_estimated_without_counting_them(rows: PostgresExpiredRows, database: Database) -> None:
    async with database.owner() as owner:
        await owner.execute(ADD_KEYS, ALICE, 1000)
    async with database.owner() as owner:  # a session reports what it wrote at its end
        await owner.execute("analyze public.idempotency_keys")
    assert (await rows.begin(timedelta(0))).idempotency_rows == 1000


async def test_a_round_goes_on_until_nothing_is_left(
    rows: PostgresExpiredRows, database: Database, photos: Photos, metrics: Metrics
) -> None:
    async with database.owner() as owner:
        await owner.execute(ADD_KEYS, ALICE, 3 * cleanup_service.BATCH_ROWS)
        await CleanupService(rows, photos, metrics, 60, 3600).clean()
        assert await owner.fetchval(KEYS) == 0
    assert photos.asked == [3600]
    assert cleaned(metrics, "idempotency_key") == 3 * cleanup_service.BATCH_ROWS
    assert cleaned(metrics, "photo") == 3
    assert metrics.registry.get_sample_value("frond_gateway_idempotency_rows") is not None


async def test_a_round_that_is_another_replicas_removes_nothing(
    rows: PostgresExpiredRows, database: Database, photos: Photos, metrics: Metrics
) -> None:
    async with database.owner() as owner:
        await owner.execute(ADD_KEYS, ALICE, 1)
        await rows.begin(timedelta(seconds=60))
        await CleanupService(rows, photos, metrics, 60, 3600).clean()
        assert await owner.fetchval(KEYS) == 1
    assert photos.asked == []


async def test_the_end_of_a_round_is_noted_and_a_round_that_fails_or_is_anothers_has_none(
    rows: PostgresExpiredRows, photos: Photos, metrics: Metrics
) -> None:
    service = CleanupService(rows, photos, metrics, 0.02, 3600)
    assert finished(metrics) == pytest.approx(time.time(), abs=60)
    metrics.cleanup_finished.set(0)
    photos.error = StorageUnavailableError("The storage is out.")
    with pytest.raises(StorageUnavailableError):
        await service.clean()
    assert finished(metrics) == 0
    photos.error = None
    await asyncio.sleep(0.05)  # the lease has ended
    await service.clean()
    assert finished(metrics) == pytest.approx(time.time(), abs=60)
    metrics.cleanup_finished.set(0)
    await asyncio.sleep(0.05)
    await rows.begin(timedelta(seconds=60))
    await service.clean()
    assert finished(metrics) == 0


def finished(metrics: Metrics) -> float | None:
    value: float | None = metrics.registry.get_sample_value("frond_gateway_cleanup_finished_timestamp_seconds")
    return value


async def test_a_failure_is_logged_once_and_tried_again(
    rows: PostgresExpiredRows, photos: Photos, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    photos.error = StorageUnavailableError("The storage is out.")
    with caplog.at_level(logging.WARNING):
        async with cleaning(CleanupService(rows, photos, metrics, 0.02, 3600)), asyncio.timeout(10):
            while len(photos.asked) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            photos.error = None
            while cleaned(metrics, "photo") is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert [record.getMessage() for record in caplog.records] == ["cleanup failed: The storage is out."]


async def test_the_end_of_the_gateway_ends_a_round(rows: PostgresExpiredRows, photos: Photos, metrics: Metrics) -> None:
    class Stuck(PostgresExpiredRows):
        async def delete_keys(self, limit: int) -> int:
            begun.set()
            return limit + int(await asyncio.Future[int]())

    begun = asyncio.Event()
    async with asyncio.timeout(5):
        async with cleaning(CleanupService(Stuck(rows._database), photos, metrics, 0.01, 3600)):
            await begun.wait()


@pytest.mark.parametrize(
    "statement",
    [KEYS, EXPIRE, "delete from public.idempotency_keys", "delete from frond.rate_limits", "table frond.chores"],
)
async def test_the_login_of_the_gateway_is_the_service_role_in_these_functions_only(
    rows: PostgresExpiredRows, database: Database, statement: str
) -> None:
    assert (await rows.begin(timedelta(0))).is_ours
    connection = await asyncpg.connect(database.gateway_url)
    try:
        await connection.fetchrow("select frond.begin_cleanup('0')")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("set role service_role")
    finally:
        await connection.close()
