"""Two gateways, three Tritons, PostgreSQL, S3 and Prometheus as the manifests have them, under load in networks of
their own: each tier is restarted, parts are killed, and a worse release is tried, while every request is answered.

The waits are the manifests' own and pass in full; how late everyone hears of a change is in cluster.py.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg
import pytest

from tests.cluster.load import Course, load
from tests.cluster.watch import calls, fired, scraped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.cluster.cluster import Cluster
    from tests.cluster.deployment import Deployment
    from tests.server_process import Server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

SETTLED_SECONDS = 5.0  # some 35 requests
FOUND_SECONDS = 90.0
REACHES_ALL_SECONDS = 6.0  # twice what a gateway takes to hear of it


async def under_load(site: Cluster, change: Awaitable[object]) -> Course:
    """The change with load before, meanwhile and after; every request is answered once, and each key replays it."""
    async with load(site.url, site.signing_key) as course:
        await asyncio.sleep(SETTLED_SECONDS)
        assert all((await calls(site)).values()), "someone is not asked"
        await change
        await asyncio.sleep(SETTLED_SECONDS)
    print(course.told())
    assert all((await calls(site)).values()), "someone is not asked"
    assert course.lost == []
    replayed = {key: replace(answer, is_replayed=True) for key, answer in course.answers.items()}
    assert course.replays == replayed
    rows = await site.postgres.rows()
    assert {rows[key]["status"] for key in course.answers} == {"completed"}
    return course


def names(tier: Deployment) -> set[str]:
    return {pod.name for pod in tier.pods}


async def restart(server: Server) -> None:
    await server.stop()
    await server.start()


async def test_a_rolling_restart_of_the_gateways_is_felt_by_no_request(site: Cluster) -> None:
    old = names(site.gateways)
    course = await under_load(site, site.gateways.roll())
    assert (course.failed_calls, course.retries) == ({}, 0)
    assert not old & names(site.gateways)
    assert site.restarts == 0


async def test_a_rolling_restart_of_the_tritons_is_felt_by_no_request_and_no_alert_fires(site: Cluster) -> None:
    old = names(site.tritons)
    course = await under_load(site, site.tritons.roll())
    assert (course.failed_calls, course.retries) == ({}, 0)
    assert not old & names(site.tritons)
    assert site.restarts == 0
    await until(lambda: all_are_scraped(site))
    assert await fired(site) == set()


async def test_a_restart_of_what_there_is_only_one_of_fits_into_the_callers_deadlines(site: Cluster) -> None:
    async def restart_both() -> None:
        for server in (site.postgres, site.photos):
            await restart(server)
            await asyncio.sleep(SETTLED_SECONDS)

    course = await under_load(site, restart_both())
    assert course.failed_calls == {}


async def test_of_a_killed_gateway_and_triton_nothing_is_lost_and_nothing_is_done_twice(site: Cluster) -> None:
    victims = (site.gateways.pods[0], site.tritons.pods[0])

    async def kill_both() -> None:
        for pod in victims:
            pod.crash()
            await pod.has_restarted()
            await asyncio.sleep(SETTLED_SECONDS)

    course = await under_load(site, kill_both())
    assert course.retries > 0, "no kill was felt: it proves nothing"
    assert [pod.restarts for pod in victims] == [1, 1]


async def test_a_worse_release_takes_itself_back_on_all_gateways_and_no_request_fails(site: Cluster) -> None:
    async def try_it() -> None:
        await site.gateways.roll(site.read_manifests("canary")["gateway"])
        await until(lambda: verdict_of(site))
        await asyncio.sleep(REACHES_ALL_SECONDS)

    course = await under_load(site, try_it())
    assert course.failed_calls == {}
    assert set(course.versions) == {"1", "2"}
    assert "abstentions" in str(await verdict_of(site))
    async with load(site.url, site.signing_key) as later:
        await asyncio.sleep(SETTLED_SECONDS)
        await until(lambda: has_fired(site, "FrondCanaryRolledBack"))
    assert set(later.versions) == {"1"}


async def until(found: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(FOUND_SECONDS):
        while not await found():  # noqa: ASYNC110  (it is asked for)
            await asyncio.sleep(1)


async def all_are_scraped(site: Cluster) -> bool:
    return {pod.address for tier in (site.gateways, site.tritons) for pod in tier.pods} <= await scraped(site)


async def has_fired(site: Cluster, alert: str) -> bool:
    return alert in await fired(site)


async def verdict_of(site: Cluster) -> str | None:
    connection = await asyncpg.connect(site.postgres.owner_url)
    try:
        verdict: str | None = await connection.fetchval("select verdict from frond.canaries where version = '2'")
    finally:
        await connection.close()
    return verdict
